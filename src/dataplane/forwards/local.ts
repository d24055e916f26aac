import type net from 'node:net';
import type { LocalForward as Config } from '../../model/config.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import type { Link } from '../carriers/carrier.ts';
import { plainAddress } from '../sockets/address.ts';
import type { Listener } from '../sockets/tcp-listener.ts';
import type { ForwardContext, RunningForward } from './context.ts';
import { listenAt } from './listener.ts';
import { dialOver, serve } from './serve.ts';

/** Accepted socket; the far side is a channel. */
const descriptorsPerFlow = 1;

/** `-L`: listens here, dials at the far end. The listener stays bound while the link is away. */
export class LocalForward implements RunningForward {
  private readonly config: Config;
  private readonly link: Link;
  private readonly context: ForwardContext;
  private listener: Listener | null = null;
  private release: (() => void) | null = null;

  constructor(config: Config, link: Link, context: ForwardContext) {
    this.config = config;
    this.link = link;
    this.context = context;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.context.status({ is: 'opening' });
    const listener = await listenAt(this.config.listen, (socket) => this.accept(socket), this.context.holder);
    if (signal.aborted) return listener.close();
    this.listener = listener;
    this.release = this.link.hold();
    this.context.status({ is: 'open', at: listener.shown, since: new Date().toISOString() });
  }

  async stop(): Promise<void> {
    this.listener?.close();
    this.listener = null;
    const release = this.release;
    this.release = null;
    // Flows that go on still need the link.
    if (release !== null) void this.context.gate.drained().then(release);
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.link.dial(this.config.target, probeOrigin, signal).then((stream) => {
      stream.on('error', () => {});
      stream.destroy();
    });
  }

  private accept(socket: net.Socket): void {
    const { gate, notes, triggers } = this.context;
    const { target } = this.config;
    const flow = gate.admitSocket(socket, formatEndpoint(target), descriptorsPerFlow);
    if (flow === null) return;
    if ('port' in target) triggers.began(flow, { proto: 'tcp', ...target, link: this.link.id });
    const origin = { address: plainAddress(socket.remoteAddress ?? '127.0.0.1'), port: socket.remotePort ?? 0 };
    void serve(socket, flow, {
      notes,
      limits: gate.limits,
      dial: (signal) => dialOver(this.link, target, origin, signal),
    });
  }
}

export const probeOrigin = { address: '127.0.0.1', port: 0 } as const;
