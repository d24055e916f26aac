// Is the peer still there, and how far is it? ServerAliveInterval and ServerAliveCountMax, ssh_config(5).
import { performance } from 'node:perf_hooks';
import type { Internals } from './internals.ts';

export interface KeepaliveOptions {
  readonly client: Internals;
  /** Bytes received so far: what arrives shows life as well as an answer does. */
  readonly bytesRead: () => number;
  readonly intervalMs: number;
  readonly count: number;
  readonly onRtt: (rttMs: number) => void;
  /** Nothing came for `intervalMs` × `count`. */
  readonly onDead: () => void;
}

/** Starts asking at once, then at every interval. @returns the way to stop */
export function startKeepalive(options: KeepaliveOptions): () => void {
  const { client, intervalMs, count } = options;
  const tickMs = Math.max(50, Math.min(1000, intervalMs / 2));
  let heard = performance.now();
  let bytes = options.bytesRead();
  let asked = Number.NEGATIVE_INFINITY;
  let outstanding = 0;
  let lastTick = heard;

  const ask = (now: number) => {
    asked = now;
    outstanding++;
    client._callbacks.push((error) => {
      outstanding--;
      // `true` is REQUEST_FAILURE, which answers just as well; an Error means the connection ended.
      if (error instanceof Error) return;
      heard = performance.now();
      options.onRtt(heard - now);
    });
    try {
      client._protocol.ping();
    } catch {
      clearInterval(timer);
    }
  };
  const tick = () => {
    const now = performance.now();
    // This thread stood still, not the peer: what it sent meanwhile is yet to be read.
    const late = now - lastTick > tickMs + intervalMs;
    lastTick = now;
    const total = options.bytesRead();
    if (total !== bytes) {
      bytes = total;
      heard = now;
    }
    if (!late && outstanding > 0 && now - heard >= intervalMs * count) {
      clearInterval(timer);
      options.onDead();
    } else if (now - asked >= intervalMs && (outstanding === 0 || now - heard >= intervalMs)) {
      if (outstanding < count) ask(now);
    }
  };
  const timer = setInterval(tick, tickMs);
  ask(heard);
  return () => clearInterval(timer);
}
