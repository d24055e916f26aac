// Watchers: each gets what changed since what it has, state at once, counters at a steady pace; one that is too slow is
// told to ask again instead of being buffered for.
import type { Counters } from '../model/flow.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Change, Delta, NotificationName, Notifications } from '../protocol/notifications.ts';

export interface Watcher {
  notify<N extends NotificationName>(name: N, params: Notifications[N]): void;
  /** Bytes that wait to be sent to it. */
  backlog(): number;
}

const maxBacklogBytes = 1 << 20;

function delta<T>(before: Readonly<Record<string, T>>, after: Readonly<Record<string, T>>): Delta<T> | undefined {
  if (before === after) return undefined;
  const changed: Record<string, T | null> = {};
  let any = false;
  for (const [key, value] of Object.entries(after)) {
    if (before[key] === value) continue;
    changed[key] = value;
    any = true;
  }
  for (const key of Object.keys(before)) {
    if (Object.hasOwn(after, key)) continue;
    changed[key] = null;
    any = true;
  }
  return any ? changed : undefined;
}

/** What leads from one snapshot to another. */
export function changeBetween(before: Snapshot, after: Snapshot): Change {
  const { rev, forwards, links, ...others } = after;
  const rest = Object.fromEntries(
    Object.entries(others).filter(([key, value]) => before[key as keyof typeof others] !== value),
  ) as NonNullable<Change['rest']>;
  const changed = { forwards: delta(before.forwards, forwards), links: delta(before.links, links) };
  return {
    from: before.rev,
    rev,
    ...(changed.forwards && { forwards: changed.forwards }),
    ...(changed.links && { links: changed.links }),
    ...(Object.keys(rest).length > 0 && { rest }),
  };
}

export type Publisher = ReturnType<typeof createPublisher>;

export function createPublisher(current: () => Snapshot) {
  /** What each watcher has; null for one that must ask again. */
  const watchers = new Map<Watcher, Snapshot | null>();
  let scheduled = false;

  const flush = () => {
    scheduled = false;
    const now = current();
    for (const [watcher, has] of watchers) {
      if (has === null || has === now) continue;
      if (watcher.backlog() > maxBacklogBytes) {
        watchers.set(watcher, null);
        watcher.notify('resync', null);
        continue;
      }
      watcher.notify('change', changeBetween(has, now));
      watchers.set(watcher, now);
    }
  };

  const each = <N extends NotificationName>(name: N, params: Notifications[N]) => {
    for (const [watcher, has] of watchers) {
      if (has !== null && watcher.backlog() <= maxBacklogBytes) watcher.notify(name, params);
    }
  };

  return {
    /** From now on the watcher hears of every change after the snapshot given back. */
    watch(watcher: Watcher): Snapshot {
      const now = current();
      watchers.set(watcher, now);
      return now;
    },
    unwatch: (watcher: Watcher): void => void watchers.delete(watcher),
    watched: (): boolean => watchers.size > 0,
    /** The state changed; everything that changes in this turn of the loop goes out together. */
    changed(): void {
      if (scheduled || watchers.size === 0) return;
      scheduled = true;
      setImmediate(flush);
    },
    counters(at: string, forwards: Readonly<Record<string, Counters>>): void {
      if (watchers.size > 0 && Object.keys(forwards).length > 0) each('counters', { at, forwards });
    },
    event: (event: Notifications['event']): void => each('event', event),
    bye: (reason: Notifications['bye']['reason']): void => each('bye', { reason }),
  };
}
