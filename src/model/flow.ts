import type { Transport } from './ports.ts';

/** One connection or UDP association through a forward, as `flows --json` prints it. */
export interface Flow {
  readonly id: string;
  readonly forward: string;
  /** Who connected: `address:port`, or `unix` for a Unix socket. */
  readonly peer: string;
  readonly target: string;
  /** Bytes the target sent back. */
  readonly rx: number;
  /** Bytes sent to the target. */
  readonly tx: number;
  /** ISO time. */
  readonly since: string;
  /** Of the peer's process, where the peer is on this machine. */
  readonly user: string | null;
  readonly pid: number | null;
}

/** A flow as the data plane knows it, before the owner of a local peer is looked up. */
export interface RawFlow extends Omit<Flow, 'user' | 'pid'> {
  readonly proto: Transport | 'unix';
  /** Our side of the accepted socket, to find the owner of a local peer. */
  readonly local: string;
}

/** Running totals of a forward; all counts since the engine's counters began, rates in bytes per second. */
export interface Counters {
  readonly rx: number;
  readonly tx: number;
  readonly rxRate: number;
  readonly txRate: number;
  readonly flows: number;
  readonly flowsTotal: number;
  /** Clients turned away: outside a list, one too many, out of descriptors. */
  readonly refused: number;
}

export const noCounters: Counters = { rx: 0, tx: 0, rxRate: 0, txRate: 0, flows: 0, flowsTotal: 0, refused: 0 };
