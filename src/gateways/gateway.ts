import type { EventLevel } from '../model/event.ts';
import type { RawFlow } from '../model/flow.ts';
import type { Transport } from '../model/ports.ts';
import type { ListenerStatus } from '../model/state.ts';

/** One mapping as a gateway is asked to perform it: one transport, addresses resolved. */
export interface GatewayRule {
  /** The forward, or the trigger, it belongs to. A forward may own several rules. */
  readonly owner: string;
  readonly proto: Transport;
  /** `address` null: every address of this machine. */
  readonly external: { readonly address: string | null; readonly first: number; readonly last: number };
  /** Ports are shifted by `first`; a range keeps its length. */
  readonly internal: { readonly address: string; readonly first: number };
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly masquerade: boolean;
  readonly helper: string | null;
  /** Connections at a time, null for no limit. */
  readonly maxFlows: number | null;
  /** Bytes a second each way, null for no limit. */
  readonly rateBytesPerSecond: number | null;
}

export interface GatewayReports {
  /** How all rules of an owner stand, together. */
  status(owner: string, status: ListenerStatus): void;
  note(level: EventLevel, owner: string | null, code: string, message: string): void;
}

/** Bytes and connections of one owner since its rules went in. */
export interface GatewayCounters {
  readonly rx: number;
  readonly tx: number;
  readonly flows: number;
  readonly flowsTotal: number;
  /** Clients turned away by a list or a limit, where the gateway can tell. */
  readonly refused?: number;
  /** As of when, by `performance.now()`, where the answer comes later than that. */
  readonly atMs?: number;
}

export interface GatewayPeer {
  readonly owner: string;
  readonly address: string;
}

/**
 * Who performs mappings. Declarative: `sync` is given all there should be, and makes it so; outcomes come through
 * the reports. One `sync` runs at a time, the caller sees to that.
 */
export interface Gateway {
  readonly name: 'nftables' | 'router';
  sync(rules: readonly GatewayRule[]): Promise<void>;
  /** @param fresh of this moment, where an answer is otherwise good for a while */
  counters(fresh?: boolean): Promise<ReadonlyMap<string, GatewayCounters>>;
  flows(owner: string | null): Promise<readonly RawFlow[]>;
  /** Addresses of who has come lately, also of those already gone; where the gateway can tell. */
  peers?(): Promise<readonly GatewayPeer[]>;
  /** Ends a flow listed by `flows`; false when it is not there. */
  kill(flow: string): Promise<boolean>;
  /** Takes away everything of ours. */
  clear(): Promise<void>;
  /** Stops watching and renewing; what is installed stays. Can be called twice. */
  stop(): Promise<void>;
}
