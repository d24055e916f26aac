import { type Counters, noCounters } from '../model/flow.ts';
import { type ForwardView, type Snapshot, viewForward } from '../model/snapshot.ts';
import type { Change, Delta } from '../protocol/notifications.ts';
import type { Client } from './client.ts';

/** What a mirror holds; a new object whenever anything in it changed. */
export interface Picture {
  readonly snapshot: Snapshot;
  readonly counters: Readonly<Record<string, Counters>>;
}

/** A live copy of the engine's state on the client's side. */
export interface Mirror {
  current(): Picture;
  /** Called after every change; returns the way to unsubscribe. */
  subscribe(listener: () => void): () => void;
  stop(): void;
}

function patch<T>(record: Readonly<Record<string, T>>, delta: Delta<T>): Record<string, T> {
  const next = { ...record };
  for (const [key, value] of Object.entries(delta)) {
    if (value === null) delete next[key];
    else next[key] = value;
  }
  return next;
}

/** The snapshot after a change; null when the change does not start from this snapshot. */
export function applyChange(snapshot: Snapshot, change: Change): Snapshot | null {
  if (change.from !== snapshot.rev) return null;
  return {
    ...snapshot,
    ...change.rest,
    rev: change.rev,
    forwards: change.forwards === undefined ? snapshot.forwards : patch(snapshot.forwards, change.forwards),
    links: change.links === undefined ? snapshot.links : patch(snapshot.links, change.links),
  };
}

/** Watches an engine. What it misses it asks for again. */
export async function startMirror(client: Client): Promise<Mirror> {
  const listeners = new Set<() => void>();
  let picture: Picture;
  let early: Change[] | null = [];
  const emit = () => {
    for (const listener of listeners) listener();
  };
  const load = async () => {
    early = [];
    const { snapshot, counters } = await client.call('watch', {});
    picture = { snapshot, counters };
    const missed: Change[] = early;
    early = null;
    for (const change of missed) if (change.rev > snapshot.rev) take(change);
  };
  const take = (change: Change) => {
    if (early !== null) {
      early.push(change);
      return;
    }
    const next = applyChange(picture.snapshot, change);
    if (next === null) {
      void load().then(emit, () => {});
      return;
    }
    const counters = { ...picture.counters };
    for (const [name, entry] of Object.entries(change.forwards ?? {})) if (entry === null) delete counters[name];
    picture = { snapshot: next, counters };
    emit();
  };
  const stops = [
    client.on('change', take),
    client.on('counters', ({ forwards }) => {
      if (early !== null) return;
      picture = { ...picture, counters: { ...picture.counters, ...forwards } };
      emit();
    }),
    client.on('resync', () => void load().then(emit, () => {})),
  ];
  await load();
  return {
    current: () => picture,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      for (const stop of stops) stop();
      listeners.clear();
    },
  };
}

/** The forwards in the config file's order, as `ls` shows them. */
export function viewsOf({ snapshot, counters }: Picture): ForwardView[] {
  return snapshot.order.flatMap((name) => {
    const entry = snapshot.forwards[name];
    return entry === undefined ? [] : [viewForward(entry, snapshot.links, counters[name] ?? noCounters)];
  });
}
