// The beat of the counters: what the data plane has counted is looked at twice a second, what gateways have counted as
// often as that can be afforded, and watchers are told at the pace of the settings.
import type { Counters } from '../model/flow.ts';
import type { Meter } from './meter.ts';
import { paced } from './paced.ts';
import type { Publisher } from './publisher.ts';

export interface SamplerOptions {
  readonly meter: Meter;
  readonly publisher: Publisher;
  readonly refreshMs: () => number;
  /** Reads what gateways have counted into the meter; never rejects. */
  readonly count: () => Promise<void>;
  /** Whether something is open only as long as those counts change. */
  readonly countsMatter: () => boolean;
}

const sampleEveryMs = 500;
const longestRestMs = 5000;

/** Starts sampling. @returns a function that ends it */
export function startSampler({ meter, publisher, refreshMs, count, countsMatter }: SamplerOptions): () => void {
  const countNow = paced(count, {
    now: () => performance.now(),
    // Every other beat, though one of them comes early.
    everyMs: 2 * sampleEveryMs - sampleEveryMs / 4,
    longestRestMs: () => (countsMatter() ? 0 : longestRestMs),
  });
  let moved: Record<string, Counters> = {};
  let toldAtMs = 0;
  const timer = setInterval(() => {
    Object.assign(moved, meter.sample());
    if (Date.now() - toldAtMs >= refreshMs() - sampleEveryMs / 2) {
      publisher.counters(new Date().toISOString(), moved);
      moved = {};
      toldAtMs = Date.now();
    }
    countNow();
  }, sampleEveryMs);
  return () => clearInterval(timer);
}
