import type { Counters } from '../model/flow.ts';
import type { HistorySeries } from '../model/reports.ts';

/** The traffic of the last minutes, one sample a second, kept from the rates the engine reports as they change. */
export interface Samples {
  /** Fills the seconds that have passed with the rates known until now, then takes over the new ones. */
  take(now: number, counters: Readonly<Record<string, Counters>>): void;
  /** Replaces what is known of a forward (null: all together) by the engine's own history. */
  seed(forward: string | null, series: HistorySeries): void;
  seeded(forward: string | null): boolean;
  /** Bytes a second both ways of one forward, the last minute, oldest first. */
  minute(forward: string): readonly number[];
  /** All together, the last five minutes. */
  total(): { readonly rx: readonly number[]; readonly tx: readonly number[] };
  /** Whether time passing changes what there is to see. */
  moving(): boolean;
}

const totalSeconds = 300;
const forwardSeconds = 60;

/** The last `seconds` of a series as one sample a second. */
function perSecond(values: readonly number[], stepMs: number, seconds: number): number[] {
  const out: number[] = [];
  for (let back = seconds - 1; back >= 0; back--) {
    const index = values.length - 1 - Math.floor((back * 1000) / stepMs);
    out.push(values[index] ?? 0);
  }
  return out;
}

const sum = (values: Iterable<number>) => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

export function createSamples(): Samples {
  const forwards = new Map<string, readonly number[]>();
  const rates = new Map<string, number>();
  const seeds = new Set<string | null>();
  let total: { rx: readonly number[]; tx: readonly number[] } = { rx: [], tx: [] };
  let totalRate = { rx: 0, tx: 0 };
  let last: number | null = null;

  const push = (values: readonly number[], rate: number, seconds: number, keep: number) =>
    [...values, ...Array<number>(Math.min(seconds, keep)).fill(rate)].slice(-keep);

  const advance = (now: number) => {
    const second = Math.floor(now / 1000);
    const passed = last === null ? 0 : second - last;
    last = last === null ? second : Math.max(last, second);
    if (passed <= 0) return;
    total = {
      rx: push(total.rx, totalRate.rx, passed, totalSeconds),
      tx: push(total.tx, totalRate.tx, passed, totalSeconds),
    };
    for (const name of new Set([...forwards.keys(), ...rates.keys()])) {
      const next = push(forwards.get(name) ?? [], rates.get(name) ?? 0, passed, forwardSeconds);
      if (next.some((value) => value > 0)) forwards.set(name, next);
      else forwards.delete(name);
    }
  };

  return {
    take(now, counters) {
      advance(now);
      rates.clear();
      totalRate = { rx: 0, tx: 0 };
      for (const [name, { rxRate, txRate }] of Object.entries(counters)) {
        totalRate.rx += rxRate;
        totalRate.tx += txRate;
        if (rxRate + txRate > 0) rates.set(name, rxRate + txRate);
      }
    },
    seed(forward, series) {
      seeds.add(forward);
      const seconds = forward === null ? totalSeconds : forwardSeconds;
      const rx = perSecond(series.rx, series.stepMs, seconds);
      const tx = perSecond(series.tx, series.stepMs, seconds);
      if (forward === null) total = { rx, tx };
      else
        forwards.set(
          forward,
          rx.map((value, i) => value + (tx[i] ?? 0)),
        );
    },
    seeded: (forward) => seeds.has(forward),
    minute: (forward) => forwards.get(forward) ?? [],
    total: () => total,
    moving: () => totalRate.rx + totalRate.tx > 0 || sum(total.rx) + sum(total.tx) > 0 || forwards.size > 0,
  };
}
