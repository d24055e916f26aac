/** Time as the screen sees it; tests hand in one that stands still. */
export interface Clock {
  now(): number;
  /** Runs later, once; returns the way to call it off. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
