import { normalAddress } from '../../model/cidr.ts';
import { SallyportError } from '../../model/errors.ts';
import type { Transport } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';

/** A socket some program of this machine listens on. */
export interface LocalListener {
  readonly proto: Transport;
  /** As bound; `0.0.0.0`, `::` and `*` are every address. */
  readonly address: string;
  readonly port: number;
  readonly program: string | null;
  readonly pid: number | null;
}

const every = new Set(['0.0.0.0', '::', '*']);

/**
 * Whether a kernel mapping would take connections away from a program on this machine: translation comes before
 * delivery, so the program would go deaf without a word. Loopback listeners are safe, nothing is translated there. Pure.
 * @returns the refusal, naming the program; null where nothing is in the way
 */
export function kernelConflict(
  rule: Pick<GatewayRule, 'proto' | 'external'>,
  listeners: readonly LocalListener[],
): SallyportError | null {
  const { proto, external } = rule;
  const at = external.address === null ? null : normalAddress(external.address);
  const anywhere = at === null || every.has(at);
  const shadowed = listeners.find((listener) => {
    if (listener.proto !== proto || listener.port < external.first || listener.port > external.last) return false;
    if (every.has(listener.address)) {
      // an IPv4 wildcard says nothing about IPv6 addresses
      return anywhere || listener.address !== '0.0.0.0' || !at.includes(':');
    }
    const address = normalAddress(listener.address);
    if (address === null || address.startsWith('127.') || address === '::1') return false;
    return anywhere || address === at;
  });
  if (shadowed === undefined) return null;
  const holder =
    shadowed.program === null
      ? 'another program'
      : `${shadowed.program}${shadowed.pid === null ? '' : ` (pid ${shadowed.pid})`}`;
  return new SallyportError(
    'port_taken',
    `${proto} ${shadowed.port} is where ${holder} listens, and the mapping would shadow it`,
    'choose another external port, or say --force where that is meant',
  );
}
