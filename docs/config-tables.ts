// The reference of the config file, from its schema.
import { z } from 'zod';
import { Forward, type ForwardKind, Session, Settings } from '../src/model/config.ts';
import { code, table } from './table.ts';

/** What is used of JSON Schema here. */
interface Schema {
  readonly title?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
}

const jsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;

function typeOf(schema: Schema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(JSON.stringify(value))).join(', ');
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`;
  if (schema.format === 'date-time') return 'time (ISO 8601)';
  if (schema.type === 'integer') {
    const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
    return maximum >= Number.MAX_SAFE_INTEGER ? `number from ${minimum}` : `number, ${minimum} to ${maximum}`;
  }
  return schema.type ?? 'anything';
}

/** The object forms a value may take, through lists and alternatives. */
function objectsIn(schema: Schema): readonly Schema[] {
  if (schema.properties !== undefined) return [schema];
  if (schema.items !== undefined) return objectsIn(schema.items);
  return (schema.anyOf ?? []).flatMap(objectsIn);
}

function rowsOf(key: string, schema: Schema, needed: boolean): string[][] {
  const objects = objectsIn(schema);
  const fallback = schema.default !== undefined ? code(JSON.stringify(schema.default)) : needed ? 'needed' : '';
  const own = [code(key), typeOf(schema), fallback, schema.description ?? ''];
  if (objects.length === 0) return [own];
  const inner = objects.flatMap((object) =>
    Object.entries(object.properties ?? {}).flatMap(([name, child]) =>
      rowsOf(`${key}.${name}`, child, objects.length === 1 && (object.required?.includes(name) ?? false)),
    ),
  );
  return [own, ...inner.filter((row, i) => inner.findIndex((other) => other[0] === row[0]) === i)];
}

const head = ['key', 'type', 'default', 'description'];

function keysTable(schema: Schema, wanted: (key: string) => boolean): string {
  const entries = Object.entries(schema.properties ?? {}).filter(([key]) => wanted(key));
  return table(
    head,
    entries.flatMap(([key, child]) => rowsOf(key, child, schema.required?.includes(key) ?? false)),
  );
}

const kinds = new Map(
  (jsonSchema(Forward).oneOf ?? []).map((schema) => [String(schema.properties?.kind?.const), schema]),
);

/** Keys that mean the same in each of these kinds. */
function shared(names: readonly ForwardKind[]): ReadonlySet<string> {
  const [first, ...others] = names.map((name) => kinds.get(name)?.properties ?? {});
  const same = (key: string) => others.every((other) => JSON.stringify(other[key]) === JSON.stringify(first?.[key]));
  return new Set(Object.keys(first ?? {}).filter(same));
}

const everywhere = shared(['local', 'remote', 'dynamic', 'mapping', 'trigger']);
const overSsh = shared(['local', 'remote', 'dynamic']);

const kindTable = (kind: ForwardKind, without: ReadonlySet<string>) =>
  keysTable(kinds.get(kind) ?? {}, (key) => !without.has(key) && key !== 'kind');

const sshKeys = new Set([...everywhere, ...overSsh]);

export const configTables: Readonly<Record<string, () => string>> = {
  'config-settings': () => keysTable(jsonSchema(Settings), () => true),
  'config-session': () => keysTable(jsonSchema(Session), () => true),
  'config-common': () => keysTable(kinds.get('local') ?? {}, (key) => everywhere.has(key)),
  'config-ssh': () => keysTable(kinds.get('local') ?? {}, (key) => overSsh.has(key) && !everywhere.has(key)),
  'config-local': () => kindTable('local', sshKeys),
  'config-remote': () => kindTable('remote', sshKeys),
  'config-dynamic': () => kindTable('dynamic', sshKeys),
  'config-mapping': () => kindTable('mapping', everywhere),
  'config-trigger': () => kindTable('trigger', everywhere),
};
