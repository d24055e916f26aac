import type { PortRange, Transport } from './ports.ts';

/** A range of one transport, with the name of whoever claims it. */
export interface NamedRange extends PortRange {
  readonly proto: Transport;
  readonly name: string;
}

/** A stretch of ports claimed by the same names throughout. */
export interface Interval extends PortRange {
  readonly proto: Transport;
  /** Sorted, without repetition, never empty. */
  readonly names: readonly string[];
}

/**
 * Cuts ranges that overlap into stretches that don't: what a map of intervals can hold, where each key must be in one
 * element only. Neighbours with the same names are joined. Pure; sorted by transport and port.
 */
export function disjointIntervals(ranges: readonly NamedRange[]): Interval[] {
  return (['tcp', 'udp'] as const).flatMap((proto) => {
    const mine = ranges.filter((range) => range.proto === proto);
    const cuts = [...new Set(mine.flatMap(({ first, last }) => [first, last + 1]))].sort((a, b) => a - b);
    const result: Interval[] = [];
    cuts.slice(0, -1).forEach((first, i) => {
      const last = (cuts[i + 1] ?? first) - 1;
      const covering = mine.filter((range) => range.first <= first && last <= range.last).map(({ name }) => name);
      const names = [...new Set(covering)].sort();
      if (names.length === 0) return;
      const before = result.at(-1);
      if (before !== undefined && before.last === first - 1 && before.names.join() === names.join()) {
        result[result.length - 1] = { ...before, last };
      } else {
        result.push({ proto, first, last, names });
      }
    });
    return result;
  });
}
