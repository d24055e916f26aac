// Tables as `nft -j` lists them, with the statements of their rules still in JSON.
import type { NftObject } from '../command.ts';

export type Json = unknown;
/** `{accept: null}`, `{match: {…}}` and so on. */
export type Statement = Readonly<Record<string, Json>>;

export interface NftTable {
  readonly family: string;
  readonly name: string;
  /** Whether its rules may be switched off. */
  readonly isDormant: boolean;
  readonly bases: readonly { readonly name: string; readonly hook: string; readonly policy: string }[];
  /** Statements of each rule, by chain. */
  readonly chains: ReadonlyMap<string, readonly (readonly Statement[])[]>;
  /** Sets and maps that change by themselves or by passing packets. */
  readonly changing: ReadonlySet<string>;
}

export const record = (value: Json): Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : {};
export const list = (value: Json): readonly Json[] => (Array.isArray(value) ? value : []);

/** Flags of a table at work. nft 1.0.6 prints nonsense for those of one that sleeps. */
const harmlessFlags = ['owner', 'persist'];

class TableRead implements NftTable {
  readonly family: string;
  readonly name: string;
  isDormant = false;
  readonly bases: { name: string; hook: string; policy: string }[] = [];
  readonly chains = new Map<string, Statement[][]>();
  readonly changing = new Set<string>();

  constructor(family: string, name: string) {
    this.family = family;
    this.name = name;
  }

  rulesOf(chain: string): Statement[][] {
    const rules = this.chains.get(chain) ?? [];
    this.chains.set(chain, rules);
    return rules;
  }
}

export function nftTables(objects: readonly NftObject[]): NftTable[] {
  const tables = new Map<string, TableRead>();
  const of = (family: unknown, name: unknown): TableRead => {
    const known = tables.get(`${family} ${name}`) ?? new TableRead(String(family), String(name));
    tables.set(`${family} ${name}`, known);
    return known;
  };
  for (const { table, chain, rule, set, map } of objects) {
    const named = set ?? map;
    if (table !== undefined) {
      const flags = table.flags === undefined ? [] : [table.flags].flat();
      of(table.family, table.name).isDormant = flags.some((flag) => !harmlessFlags.includes(String(flag)));
    }
    if (named !== undefined) {
      const flags = list(named.flags);
      const isChanging = flags.includes('dynamic') || flags.includes('timeout');
      if (isChanging) of(named.family, named.table).changing.add(String(named.name));
    }
    if (chain !== undefined) {
      const { family, table: name, hook, type } = chain;
      const read = of(family, name);
      read.rulesOf(String(chain.name));
      // A nat chain's verdict is one about the translation.
      const at = type === 'nat' ? `nat ${hook}` : String(hook);
      if (hook !== undefined)
        read.bases.push({ name: String(chain.name), hook: at, policy: String(chain.policy ?? 'accept') });
    }
    if (rule !== undefined) {
      const read = of(rule.family, rule.table);
      const statements = list(rule.expr).map(record);
      read.rulesOf(String(rule.chain)).push(statements);
      for (const { set: update } of statements) {
        const name = record(update).set;
        if (typeof name === 'string') read.changing.add(name.slice(1));
      }
    }
  }
  return [...tables.values()];
}
