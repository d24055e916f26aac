// A table of ours as data: named objects and the elements of its maps and sets. Two of them give the
// smallest transaction from one to the other, so that counters, limits and live owners of what stays are untouched.
import { createHash } from 'node:crypto';

/** One object of a table; `body` as nft writes it between the braces, rules apart. */
export interface TableObject {
  readonly kind: 'counter' | 'limit' | 'ct helper' | 'set' | 'map' | 'chain';
  readonly body: string;
  readonly rules?: readonly string[];
}

export interface Ruleset {
  readonly objects: ReadonlyMap<string, TableObject>;
  /** By map or set: key to value; the value is empty in a set. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Collects a ruleset; the same name twice is the same object. */
export class RulesetBuilder implements Ruleset {
  readonly objects = new Map<string, TableObject>();
  readonly elements = new Map<string, Map<string, string>>();

  add(kind: TableObject['kind'], name: string, body = ''): this {
    this.objects.set(name, { kind, body });
    return this;
  }

  chain(name: string, rules: readonly string[], body = ''): this {
    this.objects.set(name, { kind: 'chain', body, rules });
    return this;
  }

  element(set: string, key: string, value = ''): this {
    let elements = this.elements.get(set);
    if (elements === undefined) {
      elements = new Map();
      this.elements.set(set, elements);
    }
    elements.set(key, value);
    return this;
  }
}

/** What lives in the kernel and must survive a table made anew. */
export interface Carried {
  readonly counters: ReadonlyMap<string, { readonly packets: number; readonly bytes: number }>;
  /** By set or map: elements as text, with their timeouts. */
  readonly elements: ReadonlyMap<string, readonly string[]>;
}

export const nothingCarried: Carried = { counters: new Map(), elements: new Map() };

/** Name of the set whose being there says which configuration the table holds. */
export function configMark(ruleset: Ruleset): string {
  const hash = createHash('sha256');
  for (const [name, { kind, body, rules = [] }] of [...ruleset.objects].sort(byKey)) {
    hash.update(`${kind} ${name} ${body} ${rules.join('\n')}\n`);
  }
  for (const [name, elements] of [...ruleset.elements].sort(byKey)) {
    hash.update(`${name}\n`);
    for (const [key, value] of [...elements].sort(byKey)) hash.update(`${key} ${value}\n`);
  }
  return `config_${hash.digest('hex').slice(0, 24)}`;
}

const byKey = (a: readonly [string, unknown], b: readonly [string, unknown]) => (a[0] < b[0] ? -1 : 1);

const order: readonly TableObject['kind'][] = ['counter', 'limit', 'ct helper', 'set', 'map', 'chain'];

function objectText(name: string, { kind, body }: TableObject, carried: Carried): string {
  const count = kind === 'counter' ? carried.counters.get(name) : undefined;
  const inside = count === undefined ? body : `packets ${count.packets} bytes ${count.bytes}`;
  return `  ${kind} ${name} {${inside === '' ? '' : ` ${inside}`}\n  }\n`;
}

function elementsText(name: string, elements: Iterable<readonly [string, string]>): string {
  const list = Array.from(elements, ([key, value]) => (value === '' ? key : `${key} : ${value}`));
  return list.length === 0 ? '' : `add element inet TABLE ${name} { ${list.join(', ')} }\n`;
}

/** Additions in the one order that works: objects, then chains (they may jump to each other), rules, elements. */
function additions(
  objects: readonly (readonly [string, TableObject])[],
  elements: readonly (readonly [string, Iterable<readonly [string, string]>])[],
  rules: readonly (readonly [string, TableObject])[],
  carried: Carried,
): string {
  const sorted = order.flatMap((kind) => objects.filter(([, object]) => object.kind === kind));
  let text = '';
  if (sorted.length > 0)
    text += `table inet TABLE {\n${sorted.map(([name, object]) => objectText(name, object, carried)).join('')}}\n`;
  const filled = rules.filter(([, object]) => (object.rules ?? []).length > 0);
  if (filled.length > 0) {
    text += 'table inet TABLE {\n';
    for (const [name, object] of filled) {
      text += `  chain ${name} {\n${(object.rules ?? []).map((rule) => `    ${rule}\n`).join('')}  }\n`;
    }
    text += '}\n';
  }
  for (const [name, list] of elements) text += elementsText(name, list);
  return text;
}

const named = (text: string, table: string) => text.replaceAll('inet TABLE', `inet ${table}`);

/** The whole table, replacing whatever stood under its name, in one transaction. */
export function fullText(table: string, comment: string, ruleset: Ruleset, carried: Carried = nothingCarried): string {
  const objects = [...ruleset.objects, [configMark(ruleset), { kind: 'set', body: 'type mark' }] as const];
  let text = `add table inet TABLE\ndelete table inet TABLE\ntable inet TABLE {\n  comment "${comment}"\n}\n`;
  text += additions(
    objects,
    [...ruleset.elements],
    objects.filter(([, object]) => object.kind === 'chain'),
    carried,
  );
  for (const [name, list] of carried.elements) {
    if (ruleset.objects.has(name) && list.length > 0) text += `add element inet TABLE ${name} { ${list.join(', ')} }\n`;
  }
  return named(text, table);
}

const same = (a: TableObject | undefined, b: TableObject) => a !== undefined && a.kind === b.kind && a.body === b.body;
const words = (rule: string) => rule.match(/[A-Za-z]\w*/g) ?? [];
const rulesOf = (object: TableObject | undefined) => (object?.rules ?? []).join('\n');

/** The transaction from one content of the table to the next; empty when nothing changes. */
export function deltaText(table: string, from: Ruleset, to: Ruleset): string {
  let text = '';
  const lost = new Set<string>();
  for (const [name, object] of from.objects) {
    const next = to.objects.get(name);
    if (next === undefined || !same(object, next)) lost.add(name);
  }
  const removedKeys = (name: string) =>
    [...(from.elements.get(name) ?? [])].filter(([key, value]) => to.elements.get(name)?.get(key) !== value);
  for (const name of from.elements.keys()) {
    const keys = lost.has(name) ? [] : removedKeys(name).map(([key]) => key);
    if (keys.length > 0) text += `delete element inet TABLE ${name} { ${keys.join(', ')} }\n`;
  }
  // a chain that mentions something made anew is made anew too
  const mentions = (object: TableObject) => (object.rules ?? []).some((rule) => words(rule).some((w) => lost.has(w)));
  const stays = (name: string, object: TableObject) =>
    !lost.has(name) && rulesOf(object) === rulesOf(to.objects.get(name)) && !mentions(object);
  const changedChains = [...from.objects].filter(([name, object]) => object.kind === 'chain' && !stays(name, object));
  const changed = new Set(changedChains.map(([name]) => name));
  for (const [name, object] of changedChains) {
    if (rulesOf(object) !== '') text += `flush chain inet TABLE ${name}\n`;
  }
  // maps may point to chains, so they go before them
  for (const kind of [...order].reverse().sort((a, b) => Number(a === 'chain') - Number(b === 'chain'))) {
    for (const [name, object] of from.objects) {
      if (object.kind === kind && lost.has(name)) text += `delete ${kind} inet TABLE ${name}\n`;
    }
  }
  const added = [...to.objects].filter(([name, object]) => !same(from.objects.get(name), object));
  const fresh = new Set(added.map(([name]) => name));
  const rules = [...to.objects].filter(
    ([name, object]) => object.kind === 'chain' && (fresh.has(name) || changed.has(name)),
  );
  const elements = [...to.elements].map(([name, list]) => {
    const had = fresh.has(name) ? undefined : from.elements.get(name);
    return [name, [...list].filter(([key, value]) => had?.get(key) !== value)] as const;
  });
  text += additions(added, elements, rules, nothingCarried);
  if (text === '') return '';
  text += `delete set inet TABLE ${configMark(from)}\nadd set inet TABLE ${configMark(to)} { type mark; }\n`;
  return named(text, table);
}
