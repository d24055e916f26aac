// Rules as `nft -j` lists them. What it shows of matches made by iptables is only that they are there (`xt`).
import type { IpFamily } from '../../../model/address-set.ts';
import type { ListedStep } from './iptables-rules.ts';
import { type Elements, element, has, impliedByAll, isSource, matchCondition } from './nft-conditions.ts';
import { type Json, list, type NftTable, record, type Statement } from './nft-tables.ts';
import { allOf, type BaseChain, type Condition, type Rule, unknown, type Verdict } from './rules.ts';

function verdictOf(statement: Statement): Verdict | 'continue' | null {
  const [key = ''] = Object.keys(statement);
  switch (key) {
    case 'accept':
    case 'drop':
    case 'return':
      return { is: key };
    case 'reject':
      return { is: 'drop' };
    case 'continue':
      return key;
    case 'jump':
    case 'goto': {
      const { target } = record(statement[key]);
      return typeof target === 'string' ? { is: key, chain: target } : { is: 'unknown' };
    }
    default:
      return null;
  }
}

/** Statements that neither decide nor keep the rest of a rule from being reached. */
const idle = new Set(['counter', 'log', 'comment', 'notrack', 'mangle', 'ct helper', 'ct timeout', 'last']);
/** Statements after which the rest of a rule may not be reached. */
const hurdles = new Set(['limit', 'quota', 'ct count', 'set', 'map', 'meter', 'ct expectation']);

function* rulesOf(statements: readonly Statement[], elements: Elements): Generator<Rule> {
  const conditions: Condition[] = [];
  const when = (...more: readonly Condition[]): Condition => allOf([...conditions, ...more]);
  for (const statement of statements) {
    const [key = ''] = Object.keys(statement);
    const verdict = verdictOf(statement);
    if (verdict === 'continue') return;
    if (verdict !== null) {
      yield { when: when(), verdict };
      return;
    }
    if (key === 'match') conditions.push(matchCondition(statement.match, elements));
    else if (hurdles.has(key)) conditions.push(unknown);
    else if (key === 'vmap') {
      yield* branches(statement.vmap, elements, when);
      return;
    } else if (!idle.has(key)) {
      yield { when: when(), verdict: { is: 'unknown' } };
      conditions.push(unknown);
    }
  }
}

/** The entries of a verdict map, value and verdict; null where they are not known. */
function entriesOf(vmap: Json, elements: Elements): readonly (readonly [Json, Statement])[] | null {
  const { data } = record(vmap);
  const entries = typeof data === 'string' ? elements(data.slice(1)) : record(data).set;
  if (!Array.isArray(entries)) return null;
  return entries.map((entry) => {
    const [value, verdict] = list(entry);
    return [element(value), record(verdict)];
  });
}

/** A verdict map as one rule for each of its entries. */
function* branches(
  vmap: Json,
  elements: Elements,
  when: (...more: readonly Condition[]) => Condition,
): Generator<Rule> {
  const { key } = record(vmap);
  const entries = entriesOf(vmap, elements);
  if (entries === null) {
    yield { when: when(...impliedByAll(key)), verdict: { is: 'unknown' } };
    return;
  }
  // What is for everything else stands last, wherever it was listed.
  for (const [value, outcome] of entries.toSorted(([a], [b]) => Number(a === '*') - Number(b === '*'))) {
    const verdict = verdictOf(outcome) ?? { is: 'unknown' };
    if (verdict === 'continue') continue;
    yield { when: when(...impliedByAll(key), has(key, value)), verdict };
  }
}

/** The chains a packet may come through from this one on. */
function reachable(table: NftTable, start: string, elements: Elements): ReadonlySet<string> {
  const found = new Set([start]);
  for (const name of found) {
    for (const statement of (table.chains.get(name) ?? []).flat()) {
      const verdicts = 'vmap' in statement ? (entriesOf(statement.vmap, elements) ?? []) : [[null, statement] as const];
      for (const [, one] of verdicts) {
        const verdict = verdictOf(one);
        if (verdict !== null && verdict !== 'continue' && 'chain' in verdict) found.add(verdict.chain);
      }
    }
  }
  return found;
}

/** A verdict as a statement; null is none. */
function statementOf(verdict: Verdict | null): Statement[] {
  if (verdict === null) return [];
  return [{ [verdict.is]: 'chain' in verdict ? { target: verdict.chain } : null }];
}

/**
 * A rule of iptables: what nft shows of it, with what iptables prints of the rest. Alone neither would do, for iptables
 * leaves out without a word what others put into its chains.
 */
function jointRule(statements: readonly Statement[], { when, verdict }: ListedStep, elements: Elements): Rule[] {
  const shown = statements.filter((statement) => !('xt' in statement));
  const isDecided = shown.some((statement) => verdictOf(statement) !== null);
  const rules = rulesOf([...shown, ...(isDecided ? [] : statementOf(verdict))], elements);
  return [...rules].map((rule) => ({ ...rule, when: allOf([when, rule.when]) }));
}

/**
 * The base chains of a table at a hook.
 * @param hook `input`, or `nat prerouting` for chains that translate
 * @param listed the lines of its chains as iptables prints them, where it wrote any
 */
export function hookChains(
  table: NftTable,
  hook: string,
  elements: Elements,
  listed: ReadonlyMap<string, readonly ListedStep[]> = new Map(),
): BaseChain[] {
  const families = ({ ip: [4], ip6: [6], inet: [4, 6] } as Record<string, readonly IpFamily[]>)[table.family];
  if (families === undefined) return [];
  const known: Elements = (name) => (table.changing.has(name) ? null : elements(name));
  return table.bases
    .filter((base) => base.hook === hook)
    .map(({ name, policy }) => {
      const chains = new Map<string, Rule[]>();
      for (const chain of reachable(table, name, known)) {
        const rules = table.chains.get(chain);
        if (rules === undefined) continue;
        const lines = listed.get(chain) ?? [];
        chains.set(
          chain,
          rules.flatMap((rule, i) => {
            // Another number of lines tells of other rules than these.
            const line = lines.length === rules.length && rule.some((one) => 'xt' in one) ? lines[i] : undefined;
            const needed = asNeeded(rule, known);
            return line === undefined ? [...rulesOf(rule, needed)] : jointRule(rule, line, needed);
          }),
        );
      }
      return { families, policy: policy === 'drop' ? 'drop' : 'accept', start: name, chains } as const;
    });
}

/** Asks for the elements of each set and map the chains at a hook go by. */
export function askForSets(table: NftTable, hook: string, elements: Elements): void {
  const known: Elements = (name) => (table.changing.has(name) ? null : elements(name));
  for (const { name } of table.bases.filter((base) => base.hook === hook)) {
    for (const chain of reachable(table, name, known)) {
      for (const rule of table.chains.get(chain) ?? []) {
        for (const { match } of rule) {
          const { right } = record(match);
          if (typeof right === 'string' && right.startsWith('@')) asNeeded(rule, known)(right.slice(1));
        }
      }
    }
  }
}

/** The elements of sets, but not of one whose sources are dropped: which those are narrows nothing, and they may be many. */
function asNeeded(rule: readonly Statement[], elements: Elements): Elements {
  const last = rule.at(-1) ?? {};
  const drops = 'drop' in last || 'reject' in last;
  const spared = new Set<string>();
  for (const { match } of drops ? rule : []) {
    const { op, left, right } = record(match);
    if (op !== '!=' && isSource(left) && typeof right === 'string') spared.add(right.slice(1));
  }
  return (name) => (spared.has(name) ? null : elements(name));
}
