import type net from 'node:net';
import { performance } from 'node:perf_hooks';
import { sourceFilter } from '../../model/cidr.ts';
import { parseDuration } from '../../model/duration.ts';
import type { CounterCell } from '../counters.ts';
import type { Descriptors } from '../descriptors.ts';
import type { Flow, FlowTable } from '../flows.ts';
import type { Runnable } from '../messages.ts';
import type { Notes } from '../notes.ts';
import type { PeerWatch } from '../peers.ts';
import type { PumpLimits } from '../pump.ts';
import { reset } from '../pump.ts';
import { TokenBucket } from '../rate.ts';
import { hostPort, plainAddress } from '../sockets/address.ts';

/** Who asks to be let in. */
export interface Visitor {
  readonly proto: 'tcp' | 'udp' | 'unix';
  /** Null for a Unix socket. */
  readonly address: string | null;
  readonly port: number;
  /** Our side of the accepted socket. */
  readonly local: string;
  readonly target: string;
  /** File descriptors its flow will use. */
  readonly descriptors: number;
}

export interface GateParts {
  readonly counters: CounterCell;
  readonly table: FlowTable;
  readonly descriptors: Descriptors;
  readonly notes: Notes;
  readonly peers: PeerWatch;
}

/** Says who gets into a forward, and keeps what all its flows share: limits, rates, counters, idle time. */
export class Gate {
  readonly flows = new Set<Flow>();
  readonly limits: PumpLimits;
  private readonly parts: GateParts;
  private readonly runnable: Runnable;
  private readonly mayConnect: (address: string | null) => boolean;
  private readonly maxFlows: number;
  private readonly meter: { sent(bytes: number): void; received(bytes: number): void };
  private readonly sweep: NodeJS.Timeout | null;
  private readonly whenEmpty: (() => void)[] = [];

  constructor(runnable: Runnable, parts: GateParts) {
    const { forward } = runnable;
    this.runnable = runnable;
    this.parts = parts;
    this.mayConnect = sourceFilter({
      ...(forward.allow && { allow: forward.allow }),
      ...(forward.deny && { deny: forward.deny }),
    });
    this.maxFlows = forward.maxFlows ?? Number.POSITIVE_INFINITY;
    const bucket = () => (forward.rate === undefined ? null : new TokenBucket(forward.rate));
    this.limits = { sending: bucket(), receiving: bucket() };
    const { counters } = parts;
    this.meter = { sent: (bytes) => counters.add('tx', bytes), received: (bytes) => counters.add('rx', bytes) };
    this.sweep = forward.idleFlow === undefined ? null : this.sweepIdle(parseDuration(forward.idleFlow));
  }

  /** Registers a flow for the visitor; null when it is turned away, which is counted and told. */
  admit(visitor: Visitor): Flow | null {
    const { address, port, proto } = visitor;
    const { descriptors, counters, table } = this.parts;
    const peer = address === null ? 'unix' : hostPort(address, port);
    if (!this.mayConnect(address))
      return this.refuse(peer, 'info', 'peer_denied', `${peer} is not on the list of who may connect`);
    if (this.flows.size >= this.maxFlows) {
      return this.refuse(peer, 'warn', 'max_flows', `${peer} turned away: ${this.maxFlows} flows are the limit`);
    }
    if (!descriptors.take(visitor.descriptors)) {
      return this.refuse(
        peer,
        'error',
        'fd_limit',
        `${peer} turned away: out of file descriptors, raise LimitNOFILE (ulimit -n)`,
      );
    }
    const flow = table.open(
      {
        run: this.runnable.id,
        forward: this.runnable.forward.name,
        proto,
        address,
        peer,
        local: visitor.local,
        target: visitor.target,
        meter: this.meter,
      },
      () => {
        descriptors.give(visitor.descriptors);
        counters.add('flows', -1);
        this.flows.delete(flow);
        if (this.flows.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve();
      },
    );
    this.flows.add(flow);
    if (address !== null) this.parts.peers.met(address);
    this.parts.peers.connected(1, address, performance.now());
    counters.add('flows', 1);
    counters.add('flowsTotal', 1);
    return flow;
  }

  /** As `admit` for an accepted socket; one turned away is reset. */
  admitSocket(socket: net.Socket, target: string, descriptors: number): Flow | null {
    // Nobody else listens yet, and an unheard error would take the worker down.
    socket.on('error', () => {});
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    const unix = remoteAddress === undefined && localAddress === undefined;
    const flow = this.admit({
      proto: unix ? 'unix' : 'tcp',
      address: unix ? null : plainAddress(remoteAddress ?? ''),
      port: remotePort ?? 0,
      local: unix ? 'unix' : hostPort(plainAddress(localAddress ?? ''), localPort ?? 0),
      target,
      descriptors,
    });
    if (flow === null) reset(socket);
    return flow;
  }

  /** Ends every flow. */
  cutAll(): void {
    for (const flow of [...this.flows]) flow.cut();
  }

  /** Resolves when no flow is left. */
  drained(): Promise<void> {
    return this.flows.size === 0 ? Promise.resolve() : new Promise((resolve) => this.whenEmpty.push(resolve));
  }

  /** Stops counting idle time once the flows have ended. Can be called twice. */
  async close(): Promise<void> {
    await this.drained();
    if (this.sweep !== null) clearInterval(this.sweep);
    this.parts.notes.flush();
  }

  private refuse(peer: string, level: 'info' | 'warn' | 'error', code: string, message: string): null {
    this.parts.counters.add('refused', 1);
    this.parts.notes.say(level, code, message);
    this.parts.peers.refused(1, peer, performance.now());
    return null;
  }

  /** One timer for all flows: a flow that moved nothing since `idleMs` is cut, an eighth of that later at most. */
  private sweepIdle(idleMs: number): NodeJS.Timeout {
    const seen = new WeakMap<Flow, { bytes: number; at: number }>();
    return setInterval(
      () => {
        const now = performance.now();
        for (const flow of [...this.flows]) {
          const bytes = flow.rx + flow.tx;
          const last = seen.get(flow);
          if (last === undefined || last.bytes !== bytes) seen.set(flow, { bytes, at: now });
          else if (now - last.at >= idleMs) flow.cut();
        }
      },
      Math.max(20, idleMs / 8),
    ).unref();
  }
}
