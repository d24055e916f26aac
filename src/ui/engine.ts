import type { Client } from '../client/client.ts';
import { type Mirror, type Picture, startMirror } from '../client/mirror.ts';
import { toFailure } from '../model/errors.ts';
import type { EngineEvent } from '../model/event.ts';
import type { Clock } from './clock.ts';

/** How things stand with the engine. `stopped`: somebody stopped it on purpose, so it is not started again unasked. */
export type Connection =
  | { readonly is: 'connecting' }
  | { readonly is: 'connected'; readonly client: Client }
  | { readonly is: 'gone'; readonly why: string }
  | { readonly is: 'stopped' };

export interface EngineWatch {
  connection(): Connection;
  /** The last picture there was; it stays while the engine is away. Null before the first. */
  picture(): Picture | null;
  /** Connects at once instead of waiting, also to an engine that was stopped on purpose. */
  retry(): void;
  stop(): void;
}

export interface EngineListeners {
  /** The picture or the connection changed. */
  onChange(): void;
  onCounters(): void;
  /** What was told so far may not be all: an engine is reached, or was too fast for this one. */
  onGap(): void;
  onEvent(event: EngineEvent): void;
}

const longestPauseMs = 2000;

/** Keeps a mirror of the engine, and comes back when the engine does. */
export function watchEngine(connect: () => Promise<Client>, listeners: EngineListeners, clock: Clock): EngineWatch {
  let connection: Connection = { is: 'connecting' };
  let picture: Picture | null = null;
  let mirror: Mirror | null = null;
  let client: Client | null = null;
  let stopped = false;
  let wake: (() => void) | null = null;
  let cancelPause = () => {};

  const become = (next: Connection) => {
    if (stopped) return;
    connection = next;
    listeners.onChange();
  };
  const pause = (ms: number | null) =>
    new Promise<void>((resolve) => {
      wake = resolve;
      cancelPause = ms === null ? () => {} : clock.after(ms, resolve);
    });

  const session = async () => {
    const current = await connect();
    if (stopped) {
      current.close();
      return null;
    }
    client = current;
    const closed = Promise.withResolvers<void>();
    current.onClose(() => closed.resolve());
    let bye: 'stop' | 'restart' | null = null;
    current.on('bye', ({ reason }) => {
      bye = reason;
    });
    current.on('event', (event) => listeners.onEvent(event));
    current.on('resync', () => listeners.onGap());
    const live = await Promise.race([startMirror(current), closed.promise.then(() => null)]);
    if (live === null) return null;
    mirror = live;
    picture = live.current();
    const off = live.subscribe(() => {
      const next = live.current();
      const rates = next.counters !== picture?.counters;
      picture = next;
      if (rates) listeners.onCounters();
      listeners.onChange();
    });
    listeners.onCounters();
    listeners.onGap();
    become({ is: 'connected', client: current });
    await closed.promise;
    off();
    live.stop();
    mirror = null;
    client = null;
    return bye;
  };

  const run = async () => {
    for (let pauseMs = 100; !stopped; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      let why = 'the engine is gone';
      try {
        const bye = await session();
        if (stopped) return;
        if (bye !== null) pauseMs = 50;
        if (bye === 'stop') {
          become({ is: 'stopped' });
          await pause(null);
          become({ is: 'connecting' });
          continue;
        }
      } catch (error) {
        why = toFailure(error).message;
      }
      if (stopped) return;
      become({ is: 'gone', why });
      await pause(pauseMs);
    }
  };
  void run();

  return {
    connection: () => connection,
    picture: () => picture,
    retry() {
      cancelPause();
      wake?.();
    },
    stop() {
      stopped = true;
      cancelPause();
      wake?.();
      mirror?.stop();
      client?.close();
    },
  };
}
