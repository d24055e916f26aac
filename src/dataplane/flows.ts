import type { RawFlow } from '../model/flow.ts';
import type { Meter } from './pump.ts';

/** What is known of a flow when it begins. */
export interface FlowStart {
  /** The run it belongs to, and the forward's name. */
  readonly run: string;
  readonly forward: string;
  readonly proto: RawFlow['proto'];
  /** Address of who connected; null for a Unix socket. */
  readonly address: string | null;
  readonly peer: string;
  readonly local: string;
  readonly target: string;
  readonly meter: Meter;
}

/** One flow: a record in the table and the handle to cut it. Kept small, there may be thousands. */
export class Flow implements Meter {
  readonly id: string;
  readonly start: FlowStart;
  readonly since = Date.now();
  /** Filled in later where the client says where it wants to go. */
  target: string;
  rx = 0;
  tx = 0;
  ended = false;
  /** Ends both sides; set by who serves the flow. Only ever called on a flow that has not ended. */
  cut: () => void = () => {};
  private readonly table: FlowTable;
  private readonly onEnd: () => void;

  constructor(id: string, start: FlowStart, table: FlowTable, onEnd: () => void) {
    this.id = id;
    this.start = start;
    this.target = start.target;
    this.table = table;
    this.onEnd = onEnd;
  }

  sent(bytes: number): void {
    this.tx += bytes;
    this.start.meter.sent(bytes);
  }

  received(bytes: number): void {
    this.rx += bytes;
    this.start.meter.received(bytes);
  }

  /** Takes it off the books. Can be called twice. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.table.remove(this);
    this.onEnd();
  }

  get raw(): RawFlow {
    const { forward, peer, proto, local } = this.start;
    return {
      id: this.id,
      forward,
      peer,
      target: this.target,
      rx: this.rx,
      tx: this.tx,
      since: new Date(this.since).toISOString(),
      proto,
      local,
    };
  }
}

/** All flows of a worker. Ids carry the worker's mark, so they are unique over all of them. */
export class FlowTable {
  private readonly mark: string;
  private readonly flows = new Map<string, Flow>();
  private count = 0;

  constructor(mark: string) {
    this.mark = mark;
  }

  open(start: FlowStart, onEnd: () => void): Flow {
    this.count += 1;
    const flow = new Flow(`${this.mark}-${this.count}`, start, this, onEnd);
    this.flows.set(flow.id, flow);
    return flow;
  }

  remove(flow: Flow): void {
    this.flows.delete(flow.id);
  }

  get size(): number {
    return this.flows.size;
  }

  /** @param forward a forward's name or a run's id; null for all */
  list(forward: string | null): RawFlow[] {
    const all = [...this.flows.values()];
    const wanted =
      forward === null ? all : all.filter(({ start }) => start.forward === forward || start.run === forward);
    return wanted.map((flow) => flow.raw);
  }

  /** Ends a flow; false when it is not there. */
  kill(id: string): boolean {
    const flow = this.flows.get(id);
    flow?.cut();
    return flow !== undefined;
  }
}
