import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

export type Family = 4 | 6;

/** Family of an address in text, an interface zone allowed; null when it is no address. */
export function familyOf(address: string): Family | null {
  const bare = address.replace(/%.*$/, '');
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return 4;
  return ipaddr.IPv6.isValid(bare) ? 6 : null;
}

/** The 16 bytes PCP carries addresses in: IPv4 as IPv4-mapped IPv6 (RFC 6887 section 5). */
export function addressBytes(address: string): Buffer {
  const parsed = ipaddr.parse(address.replace(/%.*$/, ''));
  const v6 = parsed instanceof ipaddr.IPv4 ? parsed.toIPv4MappedAddress() : parsed;
  return Buffer.from(v6.toByteArray());
}

/** Reverse of `addressBytes`; `bytes` has 4 or 16 of them. */
export function addressText(bytes: Uint8Array): string {
  return ipaddr.process(ipaddr.fromByteArray([...bytes]).toString()).toString();
}

export function isUnspecified(address: string): boolean {
  return familyOf(address) !== null && ipaddr.process(address.replace(/%.*$/, '')).range() === 'unspecified';
}

export function isLoopback(address: string): boolean {
  return familyOf(address) !== null && ipaddr.process(address.replace(/%.*$/, '')).range() === 'loopback';
}

/**
 * Whether the internet can send to an external address. It cannot where the router is itself behind a NAT: private
 * ranges, and 100.64.0.0/10, which providers share between customers (RFC 6598).
 */
export function isPublic(address: string): boolean {
  if (familyOf(address) === null) return false;
  const parsed = ipaddr.process(address.replace(/%.*$/, ''));
  const unreachable = ['private', 'carrierGradeNat', 'linkLocal', 'loopback', 'uniqueLocal', 'unspecified'];
  return !unreachable.includes(parsed.range());
}

/** Whether an address is one of this machine's, on any interface. */
export function isOwn(address: string): boolean {
  const wanted = ipaddr.process(address).toString();
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .some((entry) => ipaddr.process(entry.address.replace(/%.*$/, '')).toString() === wanted);
}
