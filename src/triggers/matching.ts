// Which triggers a flow of the engine's own forwards calls: its destination port, its source and its destination.
import { cidrMatcher } from '../model/cidr.ts';
import { type Trigger, triggerSets } from '../model/config.ts';
import { disjointIntervals, type Interval } from '../model/intervals.ts';
import { parsePortList, type Transport, transports } from '../model/ports.ts';

/** A flow as a trigger sees it; `destination` null where the far end resolves the name. */
export interface Call {
  readonly proto: Transport;
  readonly source: string;
  readonly destination: string | null;
  readonly port: number;
}

/** The triggers' outbound ports as stretches without overlap. */
export function triggerIntervals(triggers: readonly Pick<Trigger, 'name' | 'on'>[]): Interval[] {
  return disjointIntervals(
    triggers.flatMap(({ name, on }) =>
      triggerSets(on).flatMap(({ proto, ports }) =>
        transports(proto).flatMap((transport) =>
          parsePortList(ports).map((range) => ({ ...range, proto: transport, name })),
        ),
      ),
    ),
  );
}

/**
 * Compiles triggers to a look-up by binary search, so that a call costs the same with one trigger or a hundred.
 * A destination that is only a name is in no network: a trigger with a `to` list does not hear it.
 * @returns the names of the triggers a call concerns
 */
export function triggerMatcher(
  triggers: readonly Pick<Trigger, 'name' | 'on' | 'from' | 'to'>[],
): (call: Call) => readonly string[] {
  const intervals = triggerIntervals(triggers);
  const byProto = {
    tcp: intervals.filter(({ proto }) => proto === 'tcp'),
    udp: intervals.filter(({ proto }) => proto === 'udp'),
  };
  const lists = new Map(
    triggers.map(({ name, from, to }) => [
      name,
      { from: from?.length ? cidrMatcher(from) : null, to: to?.length ? cidrMatcher(to) : null },
    ]),
  );
  return ({ proto, source, destination, port }) => {
    const names = intervalAt(byProto[proto], port)?.names ?? [];
    return names.filter((name) => {
      const { from = null, to = null } = lists.get(name) ?? {};
      return (from === null || from(source)) && (to === null || (destination !== null && to(destination)));
    });
  };
}

function intervalAt(intervals: readonly Interval[], port: number): Interval | null {
  let low = 0;
  let high = intervals.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const interval = intervals[middle];
    if (interval === undefined) return null;
    if (port < interval.first) high = middle - 1;
    else if (port > interval.last) low = middle + 1;
    else return interval;
  }
  return null;
}
