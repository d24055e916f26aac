import type { EngineEvent, EventLevel } from '../model/event.ts';

/** The last events, in memory, and whoever wants the next. */
export interface EventLog {
  add(level: EventLevel, forward: string | null, code: string, message: string): void;
  /** Oldest first. */
  recent(forward: string | null, limit: number): EngineEvent[];
  lastSeq(): number;
  subscribe(listener: (event: EngineEvent) => void): () => void;
}

const kept = 2000;

export function createEventLog(now: () => number): EventLog {
  let seq = 0;
  let events: EngineEvent[] = [];
  const listeners = new Set<(event: EngineEvent) => void>();
  return {
    add(level, forward, code, message) {
      const event = { seq: ++seq, at: new Date(now()).toISOString(), level, forward, code, message };
      events.push(event);
      // Dropping a block now and then is cheaper than a shift for each.
      if (events.length > kept * 1.5) events = events.slice(-kept);
      for (const listener of listeners) listener(event);
    },
    recent: (forward, limit) =>
      (forward === null ? events : events.filter((event) => event.forward === forward)).slice(-limit),
    lastSeq: () => seq,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
