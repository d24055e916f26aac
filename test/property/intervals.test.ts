import fc from 'fast-check';
import { expect, test } from 'vitest';
import { disjointIntervals } from '../../src/model/intervals.ts';

const range = fc
  .tuple(
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 0, max: 25 }),
    fc.constantFrom('tcp' as const, 'udp' as const),
    fc.constantFrom('a', 'b', 'c', 'd'),
  )
  .map(([first, length, proto, name]) => ({ first, last: first + length, proto, name }));

test('intervals are disjoint, in order, joined where they can be, and name exactly who claims each port', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
      const intervals = disjointIntervals(ranges);
      for (const proto of ['tcp', 'udp'] as const) {
        const mine = intervals.filter((interval) => interval.proto === proto);
        mine.forEach((interval, i) => {
          const next = mine[i + 1];
          expect(interval.last).toBeGreaterThanOrEqual(interval.first);
          if (next === undefined) return;
          expect(next.first).toBeGreaterThan(interval.last);
          if (next.first === interval.last + 1) expect(next.names).not.toEqual(interval.names);
        });
        for (let port = 0; port <= 90; port++) {
          const claimed = ranges.filter((r) => r.proto === proto && r.first <= port && port <= r.last);
          const names = mine.filter((r) => r.first <= port && port <= r.last).flatMap((r) => r.names);
          expect(names).toEqual([...new Set(claimed.map((r) => r.name))].sort());
        }
      }
    }),
  );
});

test('the top port is no edge', () => {
  expect(disjointIntervals([{ proto: 'tcp', first: 65_535, last: 65_535, name: 'a' }])).toEqual([
    { proto: 'tcp', first: 65_535, last: 65_535, names: ['a'] },
  ]);
});
