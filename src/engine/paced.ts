/** A tenth of the time at most goes into the task, but it never rests longer than this. */
const longestRestMs = 5000;

/**
 * A task that is asked for on every beat and done only as often as it can afford: not while it runs, and after it has
 * run for a rest of nine times as long.
 * @param now ms of a clock that never goes back
 */
export function paced(task: () => Promise<void>, now: () => number): () => void {
  let running = false;
  let restsUntil = Number.NEGATIVE_INFINITY;
  return () => {
    if (running || now() < restsUntil) return;
    running = true;
    const from = now();
    void task().finally(() => {
      restsUntil = now() + Math.min(longestRestMs, 9 * (now() - from));
      running = false;
    });
  };
}
