// What our table holds in the kernel right now, read from nft's JSON.
import type { NftObject } from './command.ts';
import type { Carried } from './ruleset.ts';

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/** An element that expires by itself; times in milliseconds, the kernel's JSON knows whole seconds. */
export interface TimedElement {
  readonly value: string;
  readonly timeoutMs: number;
  readonly expiresMs: number;
}

export function countersOf(objects: readonly NftObject[]): Map<string, Count> {
  const counters = new Map<string, Count>();
  for (const { counter } of objects) {
    if (counter === undefined) continue;
    counters.set(String(counter.name), { packets: Number(counter.packets), bytes: Number(counter.bytes) });
  }
  return counters;
}

export const setNames = (objects: readonly NftObject[]): Set<string> =>
  new Set(objects.flatMap(({ set }) => (set === undefined ? [] : [String(set.name)])));

interface JsonElement {
  readonly elem?: { readonly val: unknown; readonly timeout?: number; readonly expires?: number };
}

/** Elements with a timeout, by set; of sets only, not of maps. */
export function timedElementsOf(objects: readonly NftObject[]): Map<string, TimedElement[]> {
  const sets = new Map<string, TimedElement[]>();
  for (const { set } of objects) {
    if (set === undefined) continue;
    const setTimeout = Number(set.timeout ?? 0);
    const elements = ((set.elem ?? []) as (JsonElement | string)[]).flatMap((entry) => {
      if (typeof entry !== 'object' || entry.elem === undefined || typeof entry.elem.val !== 'string') return [];
      const timeout = entry.elem.timeout ?? setTimeout;
      if (timeout === 0 && entry.elem.expires === undefined) return [];
      return [{ value: entry.elem.val, timeoutMs: timeout * 1000, expiresMs: (entry.elem.expires ?? timeout) * 1000 }];
    });
    sets.set(String(set.name), elements);
  }
  return sets;
}

const seconds = (ms: number) => `${Math.max(1, Math.round(ms / 1000))}s`;
const timed = (key: string, { timeoutMs, expiresMs }: TimedElement) =>
  `${key} timeout ${seconds(Math.max(timeoutMs, expiresMs))} expires ${seconds(expiresMs)}`;

/** Counters and live owners to write into a table made anew. The owner maps follow from the sets of hosts. */
export function carriedFrom(
  counters: ReadonlyMap<string, Count>,
  timedSets: ReadonlyMap<string, readonly TimedElement[]>,
): Carried {
  const elements = new Map<string, string[]>();
  for (const [name, list] of timedSets) {
    if (list.length === 0) continue;
    elements.set(
      name,
      list.map((element) => timed(element.value, element)),
    );
    const version = /_host([46])$/.exec(name)?.[1];
    const newest = list.toSorted((a, b) => b.expiresMs - a.expiresMs)[0];
    if (version === undefined || newest === undefined) continue;
    const map = name.replace(/_host([46])$/, '_owner$1');
    elements.set(map, [`${timed(`ipv${version}`, newest)} : ${newest.value}`]);
  }
  return { counters, elements };
}
