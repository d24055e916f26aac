import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { SallyportError } from './errors.ts';

/**
 * An address in one spelling: IPv4-mapped IPv6 becomes IPv4, zone and brackets go.
 * @returns null when `text` is no address
 */
export function normalAddress(text: string): string | null {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  // Node's reading is the strict one: ipaddr.js takes "..." for an address.
  if (isIP(bare) === 0) return null;
  return ipaddr.process(bare).toString();
}

/**
 * Checks and normalises a source list entry; a bare address means just that address.
 * @throws SallyportError `bad_value`
 */
export function parseCidr(text: string): string {
  const [address = '', bits, ...rest] = text.trim().split('/');
  const normal = normalAddress(address);
  const max = normal?.includes(':') ? 128 : 32;
  const length = bits === undefined ? max : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (normal === null || rest.length > 0 || !(length <= max)) {
    throw new SallyportError(
      'bad_value',
      `"${text}" is not an address or network`,
      'write it like 203.0.113.0/24 or 2001:db8::/32',
    );
  }
  return `${normal}/${length}`;
}

/** A compiled source list: whether an address is in any of its networks. */
export function cidrMatcher(list: readonly string[]): (address: string) => boolean {
  const networks = list.map((entry) => ipaddr.parseCIDR(parseCidr(entry)));
  return (address) => {
    const normal = normalAddress(address);
    if (normal === null) return false;
    const parsed = ipaddr.parse(normal);
    return networks.some(
      ([network, bits]) => network.kind() === parsed.kind() && parsed.match([network, bits] as never),
    );
  };
}

/** Whether a peer may use a forward: not in `deny`, and in `allow` where there is one. Unix peers always may. */
export function sourceFilter(rule: {
  allow?: readonly string[];
  deny?: readonly string[];
}): (address: string | null) => boolean {
  const denied = rule.deny?.length ? cidrMatcher(rule.deny) : () => false;
  const allowed = rule.allow?.length ? cidrMatcher(rule.allow) : () => true;
  return (address) => address === null || (!denied(address) && allowed(address));
}

/**
 * Whether a listener takes what comes to an address of its machine.
 * @param bind where it listens: `*` is every address, `0.0.0.0` and `::` every one of a family, `localhost` both loopbacks
 */
export function takesAt(bind: string, address: string): boolean {
  const [at, to] = [normalAddress(bind), normalAddress(address)];
  if (to === null) return false;
  if (bind === '*') return true;
  if (bind === 'localhost') return to === '127.0.0.1' || to === '::1';
  if (at === '0.0.0.0' || at === '::') return to.includes(':') === at.includes(':');
  return at === to;
}

export type Reach = 'host' | 'lan' | 'world';

export const widerReach = (a: Reach, b: Reach): Reach =>
  a === 'world' || b === 'world' ? 'world' : a === 'lan' ? a : b;
export const narrowerReach = (a: Reach, b: Reach): Reach =>
  a === 'host' || b === 'host' ? 'host' : a === 'lan' ? a : b;

/** Who can reach a listener at this address, going by the address alone. */
export function addressReach(address: string): Reach {
  const normal = normalAddress(address);
  if (normal === null) return address === 'localhost' ? 'host' : 'world';
  switch (ipaddr.parse(normal).range()) {
    case 'loopback':
      return 'host';
    case 'private':
    case 'uniqueLocal':
    case 'linkLocal':
    case 'carrierGradeNat':
      return 'lan';
    default:
      return 'world';
  }
}

/**
 * Whether anybody on a list can come to a listener at all, going by the addresses alone.
 * @param bind as `takesAt` has it; a name that has to be looked up counts as one that all can come to
 */
export function listReaches(bind: string, allow: readonly string[]): boolean {
  const at = normalAddress(bind);
  if (at === null && bind !== 'localhost') return true;
  const comers =
    addressReach(bind) === 'host'
      ? ['127.0.0.0/8', '::1/128'].filter(
          (network) => bind === 'localhost' || network.includes('::') === at?.includes(':'),
        )
      : [at?.includes(':') ? '::/0' : '0.0.0.0/0'];
  return allow.some((entry) => comers.some((network) => overlap(parseCidr(entry), network)));
}

/** Whether two networks have an address in common: then one lies in the other. */
function overlap(one: string, other: string): boolean {
  const [[a, aBits], [b, bBits]] = [ipaddr.parseCIDR(one), ipaddr.parseCIDR(other)];
  return a.kind() === b.kind() && a.match([b, Math.min(aBits, bBits)] as never);
}
