/**
 * Does something again and again, the next time only once the last is done: what takes longer than its interval must
 * not pile up in front of what somebody waits for.
 * @returns a function that ends it, and can be called twice
 */
export function repeat(everyMs: number, task: () => Promise<void>): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void task().finally(() => {
      busy = false;
    });
  }, everyMs).unref();
  return () => clearInterval(timer);
}
