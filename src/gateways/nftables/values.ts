// Values on their way into nft text. Only what passes here is ever written.
import ipaddr from 'ipaddr.js';
import { normalAddress, parseCidr } from '../../model/cidr.ts';
import { SallyportError } from '../../model/errors.ts';
import type { PortRange } from '../../model/ports.ts';

/** As nft spells `meta nfproto`. */
export type Family = 'ipv4' | 'ipv6';

export const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4');

export const portsText = ({ first, last }: PortRange): string => (first === last ? String(first) : `${first}-${last}`);

/** Each external port with the internal one it goes to. */
export function* expandPorts({ first, last }: PortRange, internal: number): Iterable<readonly [number, number]> {
  for (let port = first; port <= last; port++) yield [port, internal + port - first];
}

/**
 * @returns the address in one spelling
 * @throws SallyportError `bad_value`
 */
export function checkedAddress(text: string): string {
  const address = normalAddress(text);
  if (address === null)
    throw new SallyportError('bad_value', `"${text}" is not an address`, 'write an IPv4 or IPv6 address');
  return address;
}

/** The list's networks of one family without those inside another: nft refuses intervals that overlap. */
export function networksOf(list: readonly string[], family: Family): string[] {
  const kind = family;
  const parsed = list
    .map((entry) => ipaddr.parseCIDR(parseCidr(entry)))
    .filter(([network]) => network.kind() === kind)
    .sort((a, b) => a[1] - b[1]);
  const kept: typeof parsed = [];
  for (const entry of parsed) {
    if (!kept.some(([network, bits]) => entry[0].match([network, bits] as never))) kept.push(entry);
  }
  return kept.map(([network, bits]) => `${maskedNetwork(network, bits)}/${bits}`);
}

function maskedNetwork(network: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string {
  const bytes = network.toByteArray().map((byte, i) => {
    const keep = Math.min(8, Math.max(0, bits - i * 8));
    return byte & (0xff << (8 - keep)) & 0xff;
  });
  return ipaddr.fromByteArray(bytes).toString();
}

/** A network as its own address and prefix length, for a set of networks. */
export const networkText = (address: string, bits: number): string =>
  `${maskedNetwork(ipaddr.parse(address), bits)}/${bits}`;

/**
 * An interface name as the kernel allows it and nft can quote it.
 * @throws SallyportError `bad_value`
 */
export function checkedInterface(name: string): string {
  if (!/^[A-Za-z0-9_.:@-]{1,15}$/.test(name))
    throw new SallyportError('bad_value', `"${name}" is not an interface name`);
  return name;
}
