// Counts and rates of every forward. The data plane and the kernel count; this samples, derives rates and remembers.
import { type CounterValues, counterBytes, readCounters } from '../dataplane/counters.ts';
import type { GatewayCounters } from '../gateways/gateway.ts';
import { type Counters, noCounters } from '../model/flow.ts';
import type { HistoryRange, HistorySeries } from '../model/reports.ts';
import { emptySeries, Series } from './series.ts';

/** What is kept over a restart of the engine. */
export interface Totals {
  readonly rx: number;
  readonly tx: number;
  readonly flowsTotal: number;
  readonly refused: number;
}

/** Totals as written to disk. What a gateway counts apart, for it may go on counting while no engine runs. */
export interface KeptTotals extends Totals {
  readonly outside?: Totals | undefined;
}

interface Gauge {
  /** Written by a worker; laid out by dataplane/counters.ts. */
  cell: SharedArrayBuffer | null;
  /** Cells of ways that are closed, while connections through them go on. */
  retired: SharedArrayBuffer[];
  /** Counts of a gateway, on top of `base`. */
  outside: GatewayCounters | null;
  base: Totals;
  /** A gateway may have gone on counting since `outside` was written down; its next count says how far. */
  resumes: boolean;
  counters: Counters;
  series: Series | null;
  sampledAtMs: number;
}

/** Rates fade over about this long, so that a burst is seen and a pause too. */
const rateWindowMs = 1000;

export class Meter {
  private readonly gauges = new Map<string, Gauge>();
  private readonly all = new Series();
  private readonly now: () => number;

  constructor(now: () => number, kept: Readonly<Record<string, KeptTotals>> = {}) {
    this.now = now;
    for (const [name, { outside, ...totals }] of Object.entries(kept)) {
      const gauge = this.gauge(name);
      gauge.base = totals;
      gauge.outside = outside === undefined ? null : { ...outside, flows: 0 };
      gauge.resumes = outside !== undefined;
      // What was counted before belongs to no moment of this engine's: it is no traffic of now.
      gauge.counters = { ...noCounters, ...this.values(gauge) };
    }
  }

  private gauge(name: string): Gauge {
    let gauge = this.gauges.get(name);
    if (gauge === undefined) {
      const base = { rx: 0, tx: 0, flowsTotal: 0, refused: 0 };
      gauge = {
        cell: null,
        retired: [],
        outside: null,
        base,
        resumes: false,
        counters: noCounters,
        series: null,
        sampledAtMs: this.now(),
      };
      this.gauges.set(name, gauge);
    }
    return gauge;
  }

  /** The memory a worker counts a forward in; the same over restarts of the forward. */
  cell(name: string): SharedArrayBuffer {
    const gauge = this.gauge(name);
    gauge.cell ??= new SharedArrayBuffer(counterBytes);
    return gauge.cell;
  }

  /** A worker died: what it counted is kept, and its successor counts in fresh memory. */
  renewCell(name: string): void {
    const gauge = this.gauge(name);
    if (gauge.cell === null) return;
    const { rx, tx, flowsTotal, refused } = readCounters(gauge.cell);
    gauge.base = add(gauge.base, { rx, tx, flowsTotal, refused });
    gauge.cell = null;
  }

  /** What is opened from now on counts by itself (see `present`); connections that go on still count in the whole. */
  freshCell(name: string): void {
    const gauge = this.gauge(name);
    if (gauge.cell !== null) gauge.retired.push(gauge.cell);
    gauge.cell = null;
  }

  /** Bytes and flows of what is open at present; only that it changes means anything. `atMs` as of a gateway's counts. */
  present(name: string): { readonly used: number; readonly atMs: number | null } {
    const { cell = null, outside = null } = this.gauges.get(name) ?? {};
    const own = cell === null ? noCounters : readCounters(cell);
    const used = own.rx + own.tx + own.flowsTotal;
    if (outside === null) return { used, atMs: null };
    return { used: used + outside.rx + outside.tx + outside.flowsTotal, atMs: outside.atMs ?? null };
  }

  /** Cumulative counts from a gateway; a count that falls began anew. Null when the gateway no longer counts for it. */
  outside(name: string, counts: GatewayCounters | null): void {
    const gauge = this.gauge(name);
    const before = gauge.outside;
    if (before !== null && (counts === null || counts.rx < before.rx || counts.tx < before.tx)) {
      gauge.base = add(gauge.base, totalsOf(before));
    }
    gauge.outside = counts;
    if (!gauge.resumes) return;
    gauge.resumes = false;
    const { rx, tx } = this.values(gauge);
    gauge.counters = { ...gauge.counters, rx, tx };
  }

  /** What a gateway had last counted for it. */
  lastOutside(name: string): GatewayCounters | null {
    return this.gauges.get(name)?.outside ?? null;
  }

  names(): string[] {
    return [...this.gauges.keys()];
  }

  forget(name: string): void {
    this.gauges.delete(name);
  }

  rename(from: string, to: string): void {
    const gauge = this.gauges.get(from);
    if (gauge === undefined) return;
    this.gauges.delete(from);
    this.gauges.set(to, gauge);
  }

  /** Reads all counts; the counters that changed, by name. */
  sample(): Record<string, Counters> {
    const now = this.now();
    const changed: Record<string, Counters> = {};
    let allRx = 0;
    let allTx = 0;
    for (const [name, gauge] of this.gauges) {
      const before = gauge.counters;
      const values = this.values(gauge);
      const rx = Math.max(0, values.rx - before.rx);
      const tx = Math.max(0, values.tx - before.tx);
      const passedMs = Math.max(1, now - gauge.sampledAtMs);
      gauge.sampledAtMs = now;
      const rxRate = fade(before.rxRate, rx, passedMs);
      const txRate = fade(before.txRate, tx, passedMs);
      if (rx > 0 || tx > 0) {
        gauge.series ??= new Series();
        gauge.series.add(now, rx, tx);
        allRx += rx;
        allTx += tx;
      }
      const same =
        rx === 0 &&
        tx === 0 &&
        rxRate === before.rxRate &&
        txRate === before.txRate &&
        values.flows === before.flows &&
        values.flowsTotal === before.flowsTotal &&
        values.refused === before.refused;
      if (same) continue;
      gauge.counters = { ...values, rxRate, txRate };
      changed[name] = gauge.counters;
    }
    if (allRx > 0 || allTx > 0) this.all.add(now, allRx, allTx);
    return changed;
  }

  private values(gauge: Gauge) {
    this.settle(gauge);
    const { cell, outside, base, retired } = gauge;
    const own = (cell === null ? retired : [cell, ...retired])
      .map(readCounters)
      .reduce(sum, noCounters as CounterValues);
    return {
      rx: base.rx + own.rx + (outside?.rx ?? 0),
      tx: base.tx + own.tx + (outside?.tx ?? 0),
      flows: own.flows + (outside?.flows ?? 0),
      flowsTotal: base.flowsTotal + own.flowsTotal + (outside?.flowsTotal ?? 0),
      refused: base.refused + own.refused + (outside?.refused ?? 0),
    };
  }

  /** Cells nobody counts in any more go into the base. */
  private settle(gauge: Gauge): void {
    if (gauge.retired.length === 0) return;
    gauge.retired = gauge.retired.filter((cell) => {
      const counts = readCounters(cell);
      if (counts.flows > 0) return true;
      gauge.base = add(gauge.base, counts);
      return false;
    });
  }

  /** Counters as of this moment, for an answer to a command; rates as last sampled. */
  current(name: string): Counters {
    const gauge = this.gauges.get(name);
    return gauge === undefined ? noCounters : { ...gauge.counters, ...this.values(gauge) };
  }

  /** Counters of all forwards, as last sampled. */
  sampled(): Record<string, Counters> {
    return Object.fromEntries([...this.gauges].map(([name, { counters }]) => [name, counters]));
  }

  history(name: string | null, range: HistoryRange): HistorySeries {
    const series = name === null ? this.all : (this.gauges.get(name)?.series ?? null);
    return series === null ? emptySeries(this.now(), range) : series.read(this.now(), range);
  }

  /** What to keep over a restart. */
  totals(): Record<string, KeptTotals> {
    return Object.fromEntries(
      [...this.gauges].map(([name, gauge]) => {
        const own = totalsOf(this.values({ ...gauge, outside: null }));
        return [name, gauge.outside === null ? own : { ...own, outside: totalsOf(gauge.outside) }];
      }),
    );
  }
}

const totalsOf = ({ rx, tx, flowsTotal, refused = 0 }: Omit<GatewayCounters, 'flows'>): Totals => ({
  rx,
  tx,
  flowsTotal,
  refused,
});

const add = (a: Totals, b: Totals): Totals => ({
  rx: a.rx + b.rx,
  tx: a.tx + b.tx,
  flowsTotal: a.flowsTotal + b.flowsTotal,
  refused: a.refused + b.refused,
});

const sum = (a: CounterValues, b: CounterValues): CounterValues => ({ ...add(a, b), flows: a.flows + b.flows });

/** Bytes per second over about the last second, whatever the pace of sampling; it ends at exactly zero. */
function fade(rate: number, bytes: number, passedMs: number): number {
  const weight = Math.min(1, passedMs / rateWindowMs);
  const next = rate * (1 - weight) + ((bytes * 1000) / passedMs) * weight;
  return next < 1 ? 0 : Math.round(next);
}
