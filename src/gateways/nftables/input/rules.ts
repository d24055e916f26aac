// The rules of a packet filter, whatever program wrote them, as far as they matter for a new connection from outside.
import {
  type AddressSet,
  difference,
  everywhere,
  type IpFamily,
  intersection,
  isIn,
  nowhere,
  union,
} from '../../../model/address-set.ts';
import type { Transport } from '../../../model/ports.ts';

export type Condition =
  | { readonly is: 'source' | 'destination'; readonly family: IpFamily; readonly set: AddressSet }
  | { readonly is: 'port'; readonly first: number; readonly last: number }
  | { readonly is: 'transport'; readonly name: string }
  | { readonly is: 'family'; readonly family: IpFamily }
  /** The interface it comes in by; a `*` at the end stands for any ending. */
  | { readonly is: 'interface'; readonly name: string }
  /** What connection tracking calls it: `new`, `untracked` and so on. */
  | { readonly is: 'state'; readonly state: string }
  /** Whether its destination was changed on the way here. */
  | { readonly is: 'translated' }
  /** A match nobody here understands, or one that depends on more than the packet. */
  | { readonly is: 'unknown' }
  | { readonly is: 'not'; readonly of: Condition }
  | { readonly is: 'all' | 'any'; readonly of: readonly Condition[] };

export type Verdict =
  | { readonly is: 'accept' | 'drop' | 'return' }
  | { readonly is: 'jump' | 'goto'; readonly chain: string }
  /** A statement nobody here understands: it may accept, drop or do nothing. */
  | { readonly is: 'unknown' };

export interface Rule {
  readonly when: Condition;
  readonly verdict: Verdict;
}

/** A chain at a hook, with those it leads to. */
export interface BaseChain {
  readonly families: readonly IpFamily[];
  readonly policy: 'accept' | 'drop';
  readonly start: string;
  readonly chains: ReadonlyMap<string, readonly Rule[]>;
}

/** The first packet of a connection from outside; what is open stands for every value it may have. */
export interface Packet {
  readonly family: IpFamily;
  readonly transport: Transport;
  readonly port: number;
  /** Null: any address of this machine. */
  readonly destination: bigint | null;
  /** Null: any interface but the loopback. */
  readonly interface: string | null;
  readonly states: readonly string[];
  /** Whether connections to this port may be translated ones. */
  readonly translated: boolean;
}

export const always: Condition = { is: 'all', of: [] };
export const unknown: Condition = { is: 'unknown' };

/** The sources for which a condition holds for sure, and those for which it may. */
interface Matched {
  readonly surely: AddressSet;
  readonly maybe: AddressSet;
}

const outcomes = (family: IpFamily) => ({
  yes: { surely: everywhere[family], maybe: everywhere[family] },
  no: { surely: nowhere, maybe: nowhere },
  maybe: { surely: nowhere, maybe: everywhere[family] },
});
const byFamily = { 4: outcomes(4), 6: outcomes(6) } as const;

/** Both, without work where one is everything. */
function both(a: AddressSet, b: AddressSet, all: AddressSet): AddressSet {
  return a === all ? b : b === all ? a : intersection(a, b);
}

export const isInterface = (name: string, pattern: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

export function match(condition: Condition, packet: Packet): Matched {
  const { yes, no, maybe } = byFamily[packet.family];
  const all = everywhere[packet.family];
  const sure = (holds: boolean) => (holds ? yes : no);
  switch (condition.is) {
    case 'source':
      return condition.family === packet.family ? { surely: condition.set, maybe: condition.set } : no;
    case 'destination':
      if (condition.family !== packet.family) return no;
      return packet.destination === null ? maybe : sure(isIn(packet.destination, condition.set));
    case 'port':
      return sure(condition.first <= packet.port && packet.port <= condition.last);
    case 'transport':
      return sure(condition.name === packet.transport);
    case 'family':
      return sure(condition.family === packet.family);
    case 'interface':
      if (packet.interface === null) return condition.name === 'lo' ? no : maybe;
      return sure(isInterface(packet.interface, condition.name));
    case 'state':
      if (!packet.states.includes(condition.state)) return no;
      return packet.states.length === 1 ? yes : maybe;
    case 'translated':
      return packet.translated ? maybe : no;
    case 'unknown':
      return maybe;
    case 'not': {
      const { surely, maybe: possibly } = match(condition.of, packet);
      return { surely: difference(all, possibly), maybe: difference(all, surely) };
    }
    case 'all': {
      let found: Matched = yes;
      for (const one of condition.of) {
        const next = match(one, packet);
        if (next === yes) continue;
        found = { surely: both(found.surely, next.surely, all), maybe: both(found.maybe, next.maybe, all) };
        if (found.maybe.length === 0) return no;
      }
      return found;
    }
    case 'any': {
      const found = condition.of.map((one) => match(one, packet)).filter((one) => one.maybe.length > 0);
      if (found.length === 0) return no;
      return { surely: union(...found.map((one) => one.surely)), maybe: union(...found.map((one) => one.maybe)) };
    }
  }
}

const isPlain = ({ is }: Condition) => !['source', 'destination', 'not', 'any', 'all'].includes(is);

/** All of these; what is cheap to tell comes first, for most rules of a large ruleset fail by their port. */
export function allOf(conditions: readonly Condition[]): Condition {
  const of = conditions.flatMap((one) => (one.is === 'all' ? one.of : [one]));
  return { is: 'all', of: of.toSorted((a, b) => Number(isPlain(b)) - Number(isPlain(a))) };
}

/** What chains tell packets apart by, as far as it is of use to know beforehand. */
export interface Distinctions {
  /** Names of interfaces, the loopback aside. */
  readonly interfaces: ReadonlySet<string>;
  /** Ports at which another stretch begins. */
  readonly ports: ReadonlySet<number>;
  readonly isTranslationAsked: boolean;
}

export function distinctions(chains: readonly BaseChain[]): Distinctions {
  const interfaces = new Set<string>();
  const ports = new Set<number>();
  let isTranslationAsked = false;
  const look = (condition: Condition): void => {
    switch (condition.is) {
      case 'interface':
        if (condition.name !== 'lo') interfaces.add(condition.name);
        break;
      case 'port':
        ports.add(condition.first).add(condition.last + 1);
        break;
      case 'translated':
        isTranslationAsked = true;
        break;
      case 'not':
        look(condition.of);
        break;
      case 'all':
      case 'any':
        condition.of.forEach(look);
    }
  };
  for (const chain of chains) for (const rules of chain.chains.values()) for (const { when } of rules) look(when);
  return { interfaces, ports, isTranslationAsked };
}
