import type { Mapping } from '../../model/config.ts';
import { transports } from '../../model/ports.ts';
import type { ForwardContext, RunningForward } from './context.ts';
import type { RelayListener } from './relay-tcp.ts';
import { relayTcp } from './relay-tcp.ts';
import { relayUdp } from './relay-udp.ts';
import { probeTarget } from './target-probe.ts';

/** A mapping carried by this very process: TCP, UDP or both, all its ports or none. */
export class RelayForward implements RunningForward {
  private readonly mapping: Mapping;
  private readonly context: ForwardContext;
  private listeners: RelayListener[] = [];

  constructor(mapping: Mapping, context: ForwardContext) {
    this.mapping = mapping;
    this.context = context;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { proto } = this.mapping;
    this.context.status({ is: 'opening' });
    const opened: RelayListener[] = [];
    try {
      for (const transport of transports(proto)) {
        opened.push(await { tcp: relayTcp, udp: relayUdp }[transport](this.mapping, this.context));
      }
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
    this.listeners = opened;
    if (signal.aborted) return this.stop();
    this.context.status({ is: 'open', at: `${proto}/${opened[0]?.shown}`, since: new Date().toISOString() });
  }

  async stop(): Promise<void> {
    for (const listener of this.listeners.splice(0)) listener.close();
  }

  probe(signal: AbortSignal): Promise<void> | null {
    const { mapping, context } = this;
    return probeTarget(mapping, context.device(mapping.target.host), signal);
  }
}
