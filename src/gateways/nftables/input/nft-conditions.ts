// What a match in nft's JSON asks of a packet.
import { type AddressSet, addressRange, type IpFamily, network, union } from '../../../model/address-set.ts';
import { type Json, list, record } from './nft-tables.ts';
import { allOf, always, type Condition, unknown } from './rules.ts';

/** Elements of a named set or map; null where they are not known. */
export type Elements = (name: string) => readonly Json[] | null;

/** Protocols a packet of another one has no header of. */
const transportHeaders = ['tcp', 'udp', 'udplite', 'sctp', 'dccp', 'icmp', 'icmpv6', 'igmp'];

/** What a match on this left side asks of the packet before its value counts. */
function implied(left: Json): Condition {
  const { payload } = record(left);
  const { protocol } = record(payload);
  if (payload === undefined || protocol === 'th') return always;
  if (protocol === 'ip') return { is: 'family', family: 4 };
  if (protocol === 'ip6') return { is: 'family', family: 6 };
  return transportHeaders.includes(String(protocol)) ? transport(protocol) : unknown;
}

const transportNumbers: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp' };
const transport = (name: Json): Condition => ({
  is: 'transport',
  name: transportNumbers[String(name)] ?? String(name),
});

function addresses(value: Json): AddressSet | null {
  if (typeof value === 'string') return network(value, value.includes(':') ? 128 : 32);
  const { prefix, range } = record(value);
  const { addr, len } = record(prefix);
  if (typeof addr === 'string' && typeof len === 'number') return network(addr, len);
  const [from, to] = list(range);
  return typeof from === 'string' && typeof to === 'string' ? addressRange(from, to) : null;
}

function port(value: Json): Condition {
  if (typeof value === 'number') return { is: 'port', first: value, last: value };
  const [first, last] = list(record(value).range);
  return typeof first === 'number' && typeof last === 'number' ? { is: 'port', first, last } : unknown;
}

const families: Readonly<Record<string, IpFamily>> = { ipv4: 4, ip: 4, 2: 4, ipv6: 6, ip6: 6, 10: 6 };

/** What it means that the left side has this value. */
export function has(left: Json, value: Json): Condition {
  const { payload, meta, ct, concat } = record(left);
  if (value === '*') return always;
  if (concat !== undefined) {
    const values = list(record(value).concat);
    return allOf(list(concat).map((part, i) => has(part, values[i])));
  }
  const { protocol, field } = record(payload);
  const key = record(meta).key;
  const simple = typeof value === 'string' || typeof value === 'number';
  if ((protocol === 'tcp' || protocol === 'udp' || protocol === 'th') && field === 'dport') return port(value);
  if ((protocol === 'ip' || protocol === 'ip6') && (field === 'saddr' || field === 'daddr')) {
    const set = addresses(value);
    if (set === null) return unknown;
    return { is: field === 'saddr' ? 'source' : 'destination', family: protocol === 'ip' ? 4 : 6, set };
  }
  if (!simple) return unknown;
  if (key === 'l4proto' || (protocol === 'ip' && field === 'protocol')) return transport(value);
  // Another header may stand before it, and is not hard to put there.
  if (protocol === 'ip6' && field === 'nexthdr') return allOf([transport(value), unknown]);
  if (key === 'nfproto' || key === 'protocol') {
    const family = families[value];
    return family === undefined ? unknown : { is: 'family', family };
  }
  if (key === 'iifname' || key === 'iif') return { is: 'interface', name: String(value) };
  if (record(ct).key === 'state') return { is: 'state', state: String(value) };
  if (record(ct).key === 'status' && value === 'dnat') return { is: 'translated' };
  return unknown;
}

export const element = (value: Json): Json => record(record(value).elem).val ?? value;

/** Whether the left side is one of these; sources are gathered into one set, for there may be thousands. */
function oneOf(left: Json, values: readonly Json[]): Condition {
  const conditions: Condition[] = [];
  const sets = { source: { 4: [], 6: [] }, destination: { 4: [], 6: [] } } as Record<
    'source' | 'destination',
    Record<IpFamily, AddressSet[]>
  >;
  for (const value of values) {
    const one = has(left, element(value));
    if (one.is === 'source' || one.is === 'destination') sets[one.is][one.family].push(one.set);
    else conditions.push(one);
  }
  for (const is of ['source', 'destination'] as const) {
    for (const family of [4, 6] as const) {
      if (sets[is][family].length > 0) conditions.push({ is, family, set: union(...sets[is][family]) });
    }
  }
  const [only] = conditions;
  return conditions.length === 1 && only !== undefined ? only : { is: 'any', of: conditions };
}

const leftParts = (left: Json): readonly Json[] => {
  const { concat } = record(left);
  return concat === undefined ? [left] : list(concat);
};

export const impliedByAll = (left: Json): Condition[] => leftParts(left).map(implied);

export const isSource = (left: Json) => leftParts(left).some((part) => record(record(part).payload).field === 'saddr');

const comparisons: Readonly<Record<string, (value: number) => Condition>> = {
  '<': (value) => ({ is: 'port', first: 0, last: value - 1 }),
  '<=': (value) => ({ is: 'port', first: 0, last: value }),
  '>': (value) => ({ is: 'port', first: value + 1, last: 65_535 }),
  '>=': (value) => ({ is: 'port', first: value, last: 65_535 }),
};

export function matchCondition(statement: Json, elements: Elements): Condition {
  const { op, left, right } = record(statement);
  const ctKey = record(record(left).ct).key;
  let holds: Condition;
  if (typeof op === 'string' && op in comparisons) {
    const compare = typeof right === 'number' ? comparisons[op]?.(right) : undefined;
    holds = compare !== undefined && has(left, 1).is === 'port' ? compare : unknown;
  } else if (op !== '==' && op !== '!=' && op !== 'in') holds = unknown;
  else if (typeof right === 'string' && right.startsWith('@')) {
    const values = elements(right.slice(1));
    holds = values === null ? unknown : oneOf(left, values);
  } else if (Array.isArray(right)) {
    // flags, one of which is enough
    holds = op === 'in' && (ctKey === 'state' || ctKey === 'status') ? oneOf(left, right) : unknown;
  } else {
    const { set } = record(right);
    holds = set === undefined ? oneOf(left, [right]) : Array.isArray(set) ? oneOf(left, set) : unknown;
  }
  return allOf([...impliedByAll(left), op === '!=' ? { is: 'not', of: holds } : holds]);
}
