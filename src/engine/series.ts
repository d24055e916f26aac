// Traffic history in rings of equally spaced samples, kept only for what has ever moved a byte.
import type { HistoryRange, HistorySeries } from '../model/reports.ts';

/** Spacing and length of the rings, finest first. */
const rings = [
  { stepMs: 1000, length: 300 },
  { stepMs: 10_000, length: 360 },
  { stepMs: 60_000, length: 1440 },
] as const;

const ranges: Record<HistoryRange, { ring: number; samples: number }> = {
  '1m': { ring: 0, samples: 60 },
  '5m': { ring: 0, samples: 300 },
  '1h': { ring: 1, samples: 360 },
  '24h': { ring: 2, samples: 1440 },
};

/** Bytes that fell into each step, by the step's index since the epoch; what was never written is zero. */
class Ring {
  private readonly stepMs: number;
  private readonly rx: Float64Array;
  private readonly tx: Float64Array;
  private newest = -1;

  constructor(stepMs: number, length: number) {
    this.stepMs = stepMs;
    this.rx = new Float64Array(length);
    this.tx = new Float64Array(length);
  }

  add(atMs: number, rx: number, tx: number): void {
    const step = Math.floor(atMs / this.stepMs);
    const length = this.rx.length;
    if (this.newest < 0 || step - this.newest >= length) {
      this.rx.fill(0);
      this.tx.fill(0);
    } else {
      for (let i = this.newest + 1; i <= step; i++) {
        this.rx[i % length] = 0;
        this.tx[i % length] = 0;
      }
    }
    this.newest = Math.max(step, this.newest);
    const slot = step % length;
    this.rx[slot] = (this.rx[slot] as number) + rx;
    this.tx[slot] = (this.tx[slot] as number) + tx;
  }

  /** The `samples` steps before the one `nowMs` is in, which is still filling. */
  read(nowMs: number, samples: number): HistorySeries {
    const last = Math.floor(nowMs / this.stepMs) - 1;
    const length = this.rx.length;
    const perSecond = 1000 / this.stepMs;
    const rx: number[] = [];
    const tx: number[] = [];
    for (let step = last - samples + 1; step <= last; step++) {
      const known = step <= this.newest && step > this.newest - length && step >= 0;
      rx.push(known ? Math.round((this.rx[step % length] as number) * perSecond) : 0);
      tx.push(known ? Math.round((this.tx[step % length] as number) * perSecond) : 0);
    }
    return { stepMs: this.stepMs, end: new Date((last + 1) * this.stepMs).toISOString(), rx, tx };
  }
}

export class Series {
  private readonly rings = rings.map(({ stepMs, length }) => new Ring(stepMs, length));

  add(atMs: number, rx: number, tx: number): void {
    for (const ring of this.rings) ring.add(atMs, rx, tx);
  }

  read(nowMs: number, range: HistoryRange): HistorySeries {
    const { ring, samples } = ranges[range];
    return (this.rings[ring] as Ring).read(nowMs, samples);
  }
}

/** The series of what has moved nothing. */
export function emptySeries(nowMs: number, range: HistoryRange): HistorySeries {
  const { ring, samples } = ranges[range];
  return new Ring(rings[ring]?.stepMs ?? 1000, 1).read(nowMs, samples);
}
