export interface Pace {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From one start to the next, at least. */
  readonly everyMs: number;
  /** However long the task took, it rests no longer than this. */
  readonly longestRestMs: () => number;
}

/**
 * A task that is asked for on every beat and done only as often as it can afford: not while it runs, and a tenth of the
 * time at most.
 */
export function paced(task: () => Promise<void>, { now, everyMs, longestRestMs }: Pace): () => void {
  let running = false;
  let restsUntil = Number.NEGATIVE_INFINITY;
  return () => {
    if (running || now() < restsUntil) return;
    running = true;
    const from = now();
    void task().finally(() => {
      const tookMs = now() - from;
      restsUntil = now() + Math.max(everyMs - tookMs, Math.min(longestRestMs(), 9 * tookMs));
      running = false;
    });
  };
}
