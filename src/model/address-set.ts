// Sets of addresses as a packet filter speaks of them: networks, ranges, and what is left when some are taken away.
import ipaddr from 'ipaddr.js';
import { normalAddress, type Reach } from './cidr.ts';

export type IpFamily = 4 | 6;

interface Span {
  readonly first: bigint;
  readonly last: bigint;
}

/** Addresses of one family: spans in order, none touching the next. */
export type AddressSet = readonly Span[];

const bits = { 4: 32, 6: 128 } as const;

export const nowhere: AddressSet = [];
export const everywhere: Readonly<Record<IpFamily, AddressSet>> = {
  4: [{ first: 0n, last: (1n << 32n) - 1n }],
  6: [{ first: 0n, last: (1n << 128n) - 1n }],
};

export const familyOf = (address: string): IpFamily => (address.includes(':') ? 6 : 4);

/** An address as a number; null for what is none. */
export function addressNumber(text: string): bigint | null {
  // An IPv4 address written as IPv6 is an IPv6 address to a packet filter.
  const normal = text.includes(':') ? text : normalAddress(text);
  if (normal === null || !ipaddr.isValid(normal)) return null;
  return ipaddr
    .parse(normal)
    .toByteArray()
    .reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The addresses from one to another, both included; null where either is no address. */
export function addressRange(from: string, to: string): AddressSet | null {
  const [first, last] = [addressNumber(from), addressNumber(to)];
  return first === null || last === null || familyOf(from) !== familyOf(to) || last < first ? null : [{ first, last }];
}

/** The addresses of a network; null where it is none. */
export function network(address: string, length: number): AddressSet | null {
  const value = addressNumber(address);
  const width = bits[familyOf(address)];
  if (value === null || !Number.isInteger(length) || length < 0 || length > width) return null;
  const hosts = (1n << BigInt(width - length)) - 1n;
  return [{ first: value & ~hosts, last: value | hosts }];
}

export function union(...sets: readonly AddressSet[]): AddressSet {
  const filled = sets.filter((set) => set.length > 0);
  if (filled.length < 2) return filled[0] ?? nowhere;
  const spans = filled.flat().sort((a, b) => order(a.first, b.first));
  const joined: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of spans) {
    const before = joined.at(-1);
    if (before === undefined || first > before.last + 1n) joined.push({ first, last });
    else if (last > before.last) before.last = last;
  }
  return joined;
}

const order = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

export function intersection(a: AddressSet, b: AddressSet): AddressSet {
  const shared: Span[] = [];
  for (let i = 0, j = 0; ; ) {
    const [one, other] = [a[i], b[j]];
    if (one === undefined || other === undefined) return shared;
    const first = order(one.first, other.first) > 0 ? one.first : other.first;
    const last = order(one.last, other.last) < 0 ? one.last : other.last;
    if (first <= last) shared.push({ first, last });
    if (one.last < other.last) i++;
    else j++;
  }
}

export function difference(set: AddressSet, taken: AddressSet): AddressSet {
  if (taken.length === 0) return set;
  const left: Span[] = [];
  let j = 0;
  for (const { first, last } of set) {
    let from = first;
    for (; ; j++) {
      const next = taken[j];
      if (next === undefined || next.first > last) break;
      if (next.first > from) left.push({ first: from, last: next.first - 1n });
      if (next.last >= from) from = next.last + 1n;
      // One that reaches further concerns the next span as well.
      if (next.last > last) break;
    }
    if (from <= last) left.push({ first: from, last });
  }
  return left;
}

export const isIn = (value: bigint, set: AddressSet): boolean =>
  set.some(({ first, last }) => first <= value && value <= last);

export const isSame = (a: AddressSet, b: AddressSet): boolean =>
  a.length === b.length && a.every(({ first, last }, i) => first === b[i]?.first && last === b[i]?.last);

/** Whether there are more addresses in a set than out of it: it says who is kept out, rather than who may come. */
export function isMost(set: AddressSet, family: IpFamily): boolean {
  const size = set.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
  return size * 2n > 1n << BigInt(bits[family]);
}

const networks = (...list: readonly (readonly [string, number])[]): AddressSet =>
  union(...list.map(([address, length]) => network(address, length) ?? nowhere));

/** The addresses `addressReach` calls those of this machine. */
const ownAddresses: Readonly<Record<IpFamily, AddressSet>> = {
  4: networks(['127.0.0.0', 8]),
  6: networks(['::1', 128]),
};

/** The addresses `addressReach` calls those of a local network. */
export const localNetworks: Readonly<Record<IpFamily, AddressSet>> = {
  4: networks(['10.0.0.0', 8], ['100.64.0.0', 10], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.168.0.0', 16]),
  6: networks(['fc00::', 7], ['fe80::', 10]),
};

/** Where the widest of these addresses lie; none at all is this machine alone. */
export function setReach(set: AddressSet, family: IpFamily): Reach {
  const beyond = difference(set, ownAddresses[family]);
  if (beyond.length === 0) return 'host';
  return difference(beyond, localNetworks[family]).length === 0 ? 'lan' : 'world';
}
