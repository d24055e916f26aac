import { beforeEach, describe, expect, test } from 'vitest';
import { CounterCell } from '../../src/dataplane/counters.ts';
import { Meter } from '../../src/engine/meter.ts';

let now: number;
let meter: Meter;
beforeEach(() => {
  now = 1_000_000;
  meter = new Meter(() => now);
});

const tick = (ms: number) => {
  now += ms;
  return meter.sample();
};

describe('the meter', () => {
  test('counts what a worker writes, exactly, and its rate', () => {
    const cell = new CounterCell(meter.cell('web'));
    tick(500);
    for (let i = 0; i < 8; i++) {
      cell.add('rx', 500_000);
      tick(500);
    }
    expect(meter.current('web').rx).toBe(4_000_000);
    expect(meter.current('web').rxRate).toBeGreaterThan(900_000);
    expect(meter.current('web').rxRate).toBeLessThanOrEqual(1_000_000);
  });

  test('a rate ends at exactly zero, and then nothing changes any more', () => {
    new CounterCell(meter.cell('web')).add('tx', 10_000_000);
    for (let i = 0; i < 60; i++) tick(500);
    expect(meter.current('web').txRate).toBe(0);
    expect(tick(500)).toEqual({});
  });

  test('keeps what a dead worker counted', () => {
    new CounterCell(meter.cell('web')).add('rx', 7);
    meter.renewCell('web');
    new CounterCell(meter.cell('web')).add('rx', 5);
    tick(500);
    expect(meter.current('web').rx).toBe(12);
  });

  test('a gateway whose counters begin anew loses nothing', () => {
    meter.outside('map', { rx: 100, tx: 10, flows: 1, flowsTotal: 3 });
    meter.outside('map', { rx: 5, tx: 1, flows: 0, flowsTotal: 1 });
    expect(meter.current('map')).toMatchObject({ rx: 105, tx: 11, flows: 0, flowsTotal: 4 });
    meter.outside('map', null);
    expect(meter.current('map')).toMatchObject({ rx: 105, tx: 11, flows: 0 });
  });

  test('what a gateway goes on counting without an engine is not counted twice', () => {
    const meter = new Meter(() => now);
    meter.outside('map', { rx: 100, tx: 10, flows: 2, flowsTotal: 3, refused: 4 });
    const kept = meter.totals();
    const adopting = new Meter(() => now, kept);
    expect(adopting.current('map')).toMatchObject({ rx: 100, tx: 10, flows: 0, flowsTotal: 3, refused: 4 });
    adopting.outside('map', { rx: 150, tx: 20, flows: 1, flowsTotal: 4, refused: 4 });
    expect(adopting.current('map')).toMatchObject({ rx: 150, tx: 20, flows: 1, flowsTotal: 4, refused: 4 });
    // After a boot the gateway begins anew.
    const booted = new Meter(() => now, kept);
    booted.outside('map', { rx: 5, tx: 1, flows: 0, flowsTotal: 1, refused: 1 });
    expect(booted.current('map')).toMatchObject({ rx: 105, tx: 11, flowsTotal: 4, refused: 5 });
  });

  test('totals survive into the next meter', () => {
    new CounterCell(meter.cell('web')).add('rx', 42);
    const next = new Meter(() => now, meter.totals());
    expect(next.current('web').rx).toBe(42);
  });

  test('what was counted before this engine is no traffic of now', () => {
    new CounterCell(meter.cell('web')).add('rx', 5_000_000_000);
    meter.outside('map', { rx: 1_000_000_000, tx: 0, flows: 0, flowsTotal: 1 });
    const kept = meter.totals();
    meter = new Meter(() => now, kept);
    tick(500);
    meter.outside('map', { rx: 3_000_000_000, tx: 0, flows: 0, flowsTotal: 2 });
    tick(500);
    expect(meter.current('web')).toMatchObject({ rx: 5_000_000_000, rxRate: 0 });
    expect(meter.current('map')).toMatchObject({ rx: 3_000_000_000, rxRate: 0, flowsTotal: 2 });
    expect(Math.max(...meter.history(null, '5m').rx)).toBe(0);
    meter.outside('map', { rx: 3_000_001_000, tx: 0, flows: 0, flowsTotal: 2 });
    expect(tick(1000).map?.rxRate).toBe(1000);
  });

  test('history has the bytes where they fell, for one forward and for all', () => {
    const cell = new CounterCell(meter.cell('web'));
    tick(1000);
    cell.add('rx', 600);
    tick(1000);
    tick(3000);
    const series = meter.history('web', '1m');
    expect(series.rx).toHaveLength(60);
    expect(series.rx.reduce((sum, rate) => sum + rate, 0)).toBe(600);
    expect(series.rx.indexOf(600)).toBe(60 - 3);
    expect(meter.history(null, '1m').rx).toEqual(series.rx);
    expect(meter.history('web', '24h').rx).toHaveLength(1440);
    expect(meter.history('nobody', '5m').rx.every((rate) => rate === 0)).toBe(true);
  });
});
