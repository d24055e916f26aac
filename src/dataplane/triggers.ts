import { performance } from 'node:perf_hooks';
import { cidrMatcher, normalAddress } from '../model/cidr.ts';
import type { Transport } from '../model/ports.ts';
import { parsePortList, portsOverlap, transports } from '../model/ports.ts';
import type { Flow } from './flows.ts';
import type { TriggerWatch, WorkerEvent } from './messages.ts';

type Call = Extract<WorkerEvent, { on: 'call' }>;

/** Shortest time between two words about the same host. */
const mergeMs = 1000;
const roundMs = 250;
/** Whose flows come through a Unix socket is this very machine. */
const thisHost = '127.0.0.1';

interface CompiledWatch {
  readonly name: string;
  matches(proto: Transport, port: number): boolean;
  from(address: string): boolean;
  /** Null where any destination counts. */
  readonly to: ((address: string) => boolean) | null;
}

function compile({ name, on, from, to }: TriggerWatch): CompiledWatch {
  const ranges = on.flatMap(({ proto, ports }) =>
    transports(proto).flatMap((transport) => parsePortList(ports).map((range) => ({ transport, range }))),
  );
  return {
    name,
    matches: (proto, port) =>
      ranges.some(({ transport, range }) => transport === proto && portsOverlap(range, { first: port, last: port })),
    from: from.length === 0 ? () => true : cidrMatcher(from),
    to: to.length === 0 ? null : cidrMatcher(to),
  };
}

/** Where a flow goes, as far as it matters to a trigger. */
export interface Destination {
  readonly proto: Transport;
  /** An address, or a name the far end resolves. */
  readonly host: string;
  readonly port: number;
  readonly link: string | null;
}

/** What one host did on one trigger. */
interface Caller {
  readonly trigger: string;
  readonly host: string;
  last: Destination;
  toldAtMs: number;
  /** New flows since the last word. */
  fresh: number;
  /** Flows that called, and how many bytes they had moved by the last word. */
  readonly flows: Map<Flow, number>;
}

/**
 * Watches new flows for calls on triggers' ports, and the flows that called for whether they still move bytes.
 * However many flows a host makes, it costs one event a second for each trigger.
 */
export class TriggerWatcher {
  private readonly emit: (call: Call) => void;
  private watches: readonly CompiledWatch[] = [];
  private readonly callers = new Map<string, Caller>();
  private timer: NodeJS.Timeout | null = null;

  constructor(emit: (call: Call) => void) {
    this.emit = emit;
  }

  arm(watches: readonly TriggerWatch[]): void {
    this.watches = watches.map(compile);
    const armed = new Set(watches.map(({ name }) => name));
    for (const [key, caller] of this.callers) if (!armed.has(caller.trigger)) this.callers.delete(key);
  }

  /**
   * A flow whose peer was let in is about to go to `to`.
   * @returns whether it is worth coming again once the destination's name is resolved
   */
  began(flow: Flow, to: Destination): boolean {
    if (this.watches.length === 0) return false;
    const { address } = flow.start;
    const host = address === null ? thisHost : normalAddress(address);
    // A client that reset its connection before it was looked at has no address any more.
    if (host === null) return false;
    let undecided = false;
    for (const watch of this.watches) {
      if (!watch.matches(to.proto, to.port) || !watch.from(host)) continue;
      if (watch.to !== null && normalAddress(to.host) === null) {
        undecided = true;
        continue;
      }
      if (watch.to === null || watch.to(to.host)) this.called(watch.name, host, flow, to);
    }
    return undecided;
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.callers.clear();
  }

  private called(trigger: string, host: string, flow: Flow, to: Destination): void {
    const key = `${trigger} ${host}`;
    const known = this.callers.get(key);
    if (known !== undefined) {
      if (known.flows.has(flow)) return;
      known.last = to;
      known.fresh += 1;
      known.flows.set(flow, 0);
      return;
    }
    const caller: Caller = { trigger, host, last: to, toldAtMs: 0, fresh: 0, flows: new Map([[flow, 0]]) };
    this.callers.set(key, caller);
    this.tell(caller, 1, false);
    this.timer ??= setInterval(() => this.round(), roundMs).unref();
  }

  private tell(caller: Caller, count: number, still: boolean): void {
    const { trigger, host, last } = caller;
    caller.toldAtMs = performance.now();
    caller.fresh = 0;
    this.emit({ on: 'call', trigger, host, proto: last.proto, port: last.port, count, link: last.link, still });
  }

  private round(): void {
    const due = performance.now() - mergeMs;
    for (const [key, caller] of this.callers) {
      if (caller.toldAtMs > due) continue;
      let moving = 0;
      for (const [flow, before] of caller.flows) {
        const bytes = flow.rx + flow.tx;
        if (bytes !== before) moving += 1;
        if (flow.ended) caller.flows.delete(flow);
        else caller.flows.set(flow, bytes);
      }
      if (caller.fresh > 0) this.tell(caller, caller.fresh, false);
      else if (moving > 0) this.tell(caller, moving, true);
      else if (caller.flows.size === 0) this.callers.delete(key);
    }
    if (this.callers.size === 0 && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
  }
}
