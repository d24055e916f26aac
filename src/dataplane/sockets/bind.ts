import { lookup } from 'node:dns/promises';
import net from 'node:net';

/** One address to bind. */
export interface BindAddress {
  readonly host: string;
  /** Serve IPv4 on an IPv6 socket too. */
  readonly dualStack: boolean;
  /** May be missing on a machine without IPv6. */
  readonly optional: boolean;
  /** Bound instead where the machine has no IPv6. */
  readonly instead: string | null;
  /** As shown to people. */
  readonly shown: string;
}

const one = (host: string, optional = false): BindAddress => ({
  host,
  dualStack: false,
  optional,
  instead: null,
  shown: host,
});

/**
 * The addresses a listen address stands for: none (or `localhost`) both loopbacks, `*` every address of either family,
 * a name all it resolves to.
 */
export async function bindAddresses(address: string | undefined): Promise<readonly BindAddress[]> {
  if (address === undefined || address === 'localhost') return [one('127.0.0.1'), one('::1', true)];
  if (address === '*' || address === '') {
    return [{ host: '::', dualStack: true, optional: false, instead: '0.0.0.0', shown: '0.0.0.0' }];
  }
  const bare = address.replace(/^\[|\]$/g, '');
  if (net.isIP(bare.replace(/%.*$/, '')) !== 0) return [one(bare)];
  const found = await lookup(bare, { all: true });
  return [...new Set(found.map((entry) => entry.address))].map((host) => one(host));
}

const noIpv6 = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/** Whether a bind failed because the machine lacks the address family. */
export function lacksFamily(error: unknown): boolean {
  return noIpv6.has((error as NodeJS.ErrnoException).code ?? '');
}
