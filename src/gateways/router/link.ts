import { SallyportError } from '../../model/errors.ts';
import type { Family } from './address.ts';
import { findProtocols, findWay, type Way } from './discovery.ts';
import { type Epoch, stateLost } from './epoch.ts';
import { type Grant, NotSpoken, type PortRequest, type ProtocolName, type RouterProtocol } from './protocol.ts';

export interface LinkOptions {
  readonly family: Family;
  /** A router's address instead of the default route's. */
  readonly override: string | null;
  readonly protocols: readonly ProtocolName[];
  readonly now: () => number;
}

/** What a look at the router found out. */
export type Finding =
  | { readonly is: 'same'; readonly externalAddress: string | null }
  /** Another router, or another address of ours: nothing asked before holds. */
  | { readonly is: 'moved' }
  /** It forgot what it had granted. */
  | { readonly is: 'lost' }
  | { readonly is: 'silent' };

const discoveryMs = 15_000;
const requestMs = 20_000;

/** The one router of an address family: where it is, what it speaks, whether it is still the one that made our leases. */
export class RouterLink {
  private readonly options: LinkOptions;
  private protocols: readonly RouterProtocol[] = [];
  private thorough = false;
  private readonly epochs = new Map<ProtocolName, Epoch>();
  private lost = false;
  /** The way last used, whether or not the router answers now. */
  private known: Way | null = null;
  /** Null until `connect`, and after `reset`. */
  way: Way | null = null;

  constructor(options: LinkOptions) {
    this.options = options;
  }

  /**
   * Finds the router, unless that is done.
   * @throws SallyportError `gateway_missing`
   */
  async connect(signal: AbortSignal): Promise<Way> {
    if (this.way !== null && this.protocols.length > 0) return this.way;
    const way = await findWay(this.options.family, this.options.override);
    if (way === null) {
      throw new SallyportError(
        'gateway_missing',
        `there is no default route${this.options.family === 6 ? ' for IPv6' : ''}, hence no router to ask`,
        'connect this machine to the network, or set SALLYPORT_ROUTER=ADDRESS',
      );
    }
    await this.look(way, false, signal);
    if (this.protocols.length === 0) {
      throw new SallyportError(
        'gateway_missing',
        `router ${way.gateway} answers neither PCP nor NAT-PMP nor UPnP`,
        'switch one of them on in the settings of the router',
      );
    }
    this.way = way;
    this.known = way;
    return way;
  }

  /** Forgets the router; the next `connect` looks again. Epochs stay, they tell of a restart in between. */
  reset(): void {
    this.way = null;
    this.protocols = [];
    this.thorough = false;
  }

  /**
   * Has a mapping made or renewed, in the first protocol that can.
   * @param bound the protocol that has the mapping now, if any: while it is spoken, no other one is used
   * @param before called, and waited for, before each request goes out
   * @throws SallyportError; the signal's reason
   */
  async make(
    request: PortRequest,
    lifetimeSeconds: number,
    bound: ProtocolName | null,
    before: (protocol: ProtocolName) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ grant: Grant; protocol: ProtocolName }> {
    const way = await this.connect(signal);
    const tried = new Set<ProtocolName>();
    const speaks = (name: ProtocolName) => this.protocols.some((protocol) => protocol.name === name);
    if (bound !== null && !speaks(bound) && !this.thorough) await this.look(way, true, signal);
    for (;;) {
      for (const protocol of this.protocols) {
        const { name } = protocol;
        if (tried.has(name) || (bound !== null && name !== bound && speaks(bound) && !tried.has(bound))) continue;
        tried.add(name);
        await before(name);
        try {
          const grant = await within(requestMs, signal, (limited) => protocol.make(request, lifetimeSeconds, limited));
          this.see(name, grant.epochSeconds);
          return { grant, protocol: name };
        } catch (error) {
          if (!(error instanceof NotSpoken)) throw error;
        }
      }
      if (this.thorough) break;
      await this.look(way, true, signal);
    }
    throw new SallyportError(
      'gateway_missing',
      `router ${way.gateway} maps no ports over ${[...tried].join(', ') || 'any protocol'}`,
      'switch PCP, NAT-PMP or UPnP on in the settings of the router',
    );
  }

  /** Has a mapping of ours deleted, in the protocol that made it. */
  async remove(request: PortRequest, protocol: ProtocolName, signal: AbortSignal): Promise<void> {
    const way = await this.connect(signal);
    const speaks = () => this.protocols.find(({ name }) => name === protocol);
    if (speaks() === undefined && !this.thorough) await this.look(way, true, signal);
    const found = speaks();
    if (found === undefined) {
      throw new SallyportError('gateway_failed', `router ${way.gateway} does not answer over ${protocol} now`);
    }
    try {
      await within(requestMs, signal, (limited) => found.remove(request, limited));
    } catch (error) {
      // What is not spoken cannot have made anything.
      if (!(error instanceof NotSpoken)) throw error;
    }
  }

  /**
   * Looks whether the router is still there, still the same, and still has what it granted.
   * @param sample one of our leases there
   */
  async examine(
    sample: { request: PortRequest; protocol: ProtocolName } | null,
    signal: AbortSignal,
  ): Promise<Finding> {
    const present = await findWay(this.options.family, this.options.override);
    const { known } = this;
    if (known === null || present === null) return { is: 'silent' };
    if (present.gateway !== known.gateway || present.local !== known.local) {
      this.reset();
      this.epochs.clear();
      this.known = null;
      return { is: 'moved' };
    }
    try {
      await this.connect(signal);
      const protocol = this.protocols.find(({ name }) => name === sample?.protocol) ?? this.protocols[0];
      if (protocol === undefined) return { is: 'silent' };
      const pulse = await within(requestMs, signal, (limited) => protocol.pulse(limited));
      this.see(protocol.name, pulse.epochSeconds);
      if (this.takeLost()) return { is: 'lost' };
      if (sample?.protocol === protocol.name && protocol.holds !== undefined) {
        const held = await within(requestMs, signal, async (limited) => protocol.holds?.(sample.request, limited));
        if (held === false) return { is: 'lost' };
      }
      return { is: 'same', externalAddress: pulse.externalAddress };
    } catch (error) {
      if (!(error instanceof SallyportError) && !(error instanceof NotSpoken)) throw error;
      this.reset();
      return { is: 'silent' };
    }
  }

  /** Takes in a server's announcement; whether it tells of a loss. */
  hear(epochSeconds: number): boolean {
    if (this.epochs.size === 0) return true;
    for (const name of this.epochs.keys()) this.see(name, epochSeconds);
    return this.takeLost();
  }

  /** Whether an answer since the last call told that the router had forgotten everything. */
  takeLost(): boolean {
    const { lost } = this;
    this.lost = false;
    return lost;
  }

  private see(name: ProtocolName, epochSeconds: number | null): void {
    if (epochSeconds === null || (name !== 'pcp' && name !== 'nat-pmp')) return;
    const epoch = { seconds: epochSeconds, seenMs: this.options.now() };
    const before = this.epochs.get(name);
    if (before !== undefined && stateLost(name, before, epoch)) this.lost = true;
    this.epochs.set(name, epoch);
  }

  private async look(way: Way, thorough: boolean, signal: AbortSignal): Promise<void> {
    const found = await within(discoveryMs, signal, (limited) =>
      findProtocols(way, this.options.protocols, thorough, limited),
    );
    this.protocols = found.protocols;
    this.thorough = thorough || found.devices.length > 0;
  }
}

/** Runs something with a time limit; what the limit cut off is `gateway_failed`. */
export async function within<T>(
  limitMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    return await run(AbortSignal.any([signal, limit]));
  } catch (cause) {
    if (!limit.aborted || signal.aborted || cause instanceof SallyportError) throw cause;
    throw new SallyportError('gateway_failed', 'the router takes too long', '', { cause });
  }
}
