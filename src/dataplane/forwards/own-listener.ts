import { addressReach, normalAddress } from '../../model/cidr.ts';
import type { Mapping } from '../../model/config.ts';
import { formatEndpoint, type Target } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import { relayAddress } from './mapping-ports.ts';

/** The target's name may come to mean another host: after this it is tried again. */
const rememberedMs = 5000;

/** Both ends of a socket connected to the target. */
export interface Ends {
  readonly local: string | undefined;
  readonly remote: string | undefined;
  readonly port: number | undefined;
}

/**
 * Keeps a mapping from connecting to its own listener, which would take that for a client and connect anew, for ever. It is
 * seen once connected, when the listener may have begun with it already; so it is remembered for a while.
 */
export class OwnListener {
  private readonly mapping: Mapping;
  private metAtMs = Number.NEGATIVE_INFINITY;

  constructor(mapping: Mapping) {
    this.mapping = mapping;
  }

  /** @throws SallyportError `target_unreachable` where it was met a moment ago */
  refuseKnown(target: Target): void {
    if (performance.now() - this.metAtMs < rememberedMs) throw this.failure(target);
  }

  /** @throws SallyportError `target_unreachable` where the socket has come to the mapping itself */
  refuse(target: Target, ends: Ends): void {
    if (!isOwn(this.mapping, ends)) return;
    this.metAtMs = performance.now();
    throw this.failure(target);
  }

  private failure(target: Target): SallyportError {
    return new SallyportError('target_unreachable', `${formatEndpoint(target)} is where the mapping itself listens`);
  }
}

function isOwn({ listen }: Mapping, ends: Ends): boolean {
  const { address = relayAddress, port, last = port } = listen;
  const [local, remote] = [normalAddress(ends.local ?? ''), normalAddress(ends.remote ?? '')];
  if (remote === null || ends.port === undefined || ends.port < port || ends.port > last) return false;
  const loopback = addressReach(remote) === 'host';
  if (address === 'localhost') return loopback;
  const every = address === '*' || address === '::' || (address === '0.0.0.0' && !remote.includes(':'));
  // What connects to an address of this machine comes from that very address, or within 127.0.0.0/8.
  return every ? local === remote || loopback : normalAddress(address) === remote;
}
