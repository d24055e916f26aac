// What the engine tells a watcher unasked.
import type { EngineEvent } from '../model/event.ts';
import type { Counters } from '../model/flow.ts';
import type { Snapshot } from '../model/snapshot.ts';

/** A record's changed entries; null for one that is gone. */
export type Delta<T> = Readonly<Record<string, T | null>>;

/** What differs between the snapshot `from` and the snapshot `rev`. A watcher that is not at `from` asks again. */
export interface Change {
  readonly from: number;
  readonly rev: number;
  readonly forwards?: Delta<Snapshot['forwards'][string]>;
  readonly links?: Delta<Snapshot['links'][string]>;
  /** Every other key of the snapshot, whole, where it changed. */
  readonly rest?: Partial<Omit<Snapshot, 'rev' | 'forwards' | 'links'>>;
}

export interface Notifications {
  /** State changed; sent at once. */
  change: Change;
  /** Counters of the forwards whose counters moved, at most twice a second. */
  counters: { readonly at: string; readonly forwards: Readonly<Record<string, Counters>> };
  event: EngineEvent;
  /** The watcher was too slow and missed something: call `watch` again. */
  resync: null;
  /** The engine is about to go. */
  bye: { readonly reason: 'stop' | 'restart' };
}

export type NotificationName = keyof Notifications;
