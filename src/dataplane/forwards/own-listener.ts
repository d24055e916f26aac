import { addressReach, takesAt } from '../../model/cidr.ts';
import type { Mapping } from '../../model/config.ts';
import { formatEndpoint, type Target } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import { bindAddresses } from '../sockets/bind.ts';
import { relayAddress } from './mapping-ports.ts';

/** The target's name may come to mean another host: after this it is tried again. */
const rememberedMs = 5000;

/** A target's host and port; each flow of a mapping has its own. */
type TargetPort = Extract<Target, { port: number }>;

/** The addresses of both ends of a socket connected to the target. */
export interface Ends {
  readonly local: string | undefined;
  readonly remote: string | undefined;
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
  refuseKnown(target: TargetPort): void {
    if (performance.now() - this.metAtMs < rememberedMs) throw this.failure(target);
  }

  /**
   * @param ends asked for only where the target's port is one of the mapping's own
   * @throws SallyportError `target_unreachable` where the socket has come to the mapping itself
   */
  async refuse(target: TargetPort, ends: () => Ends): Promise<void> {
    const { port, last = port } = this.mapping.listen;
    if (target.port < port || target.port > last || !(await this.isOwn(ends()))) return;
    this.metAtMs = performance.now();
    throw this.failure(target);
  }

  private async isOwn({ local, remote }: Ends): Promise<boolean> {
    // What connects to an address of this machine comes from that very address, or within 127.0.0.0/8.
    if (remote === undefined || (local !== remote && addressReach(remote) !== 'host')) return false;
    // A name that has gone since it was listened on leaves nothing to compare with.
    const places = await bindAddresses(this.mapping.listen.address ?? relayAddress).catch(() => []);
    return places.some(({ host, dualStack }) => takesAt(dualStack ? '*' : host, remote));
  }

  private failure(target: Target): SallyportError {
    return new SallyportError('target_unreachable', `${formatEndpoint(target)} is where the mapping itself listens`);
  }
}
