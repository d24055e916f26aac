import type { Client } from '../client/client.ts';
import { toFailure } from '../model/errors.ts';
import type { EngineEvent } from '../model/event.ts';
import type { Flow } from '../model/flow.ts';
import type { AuditReport, DayTotal, Device, HistoryRange, HistorySeries, RouterReport } from '../model/reports.ts';

export interface FlowRow extends Flow {
  readonly rxRate: number;
  readonly txRate: number;
}

/** What the engine is asked for when a view needs it, beyond the snapshot. */
export type Want =
  | { readonly what: 'flows'; readonly forward: string | null }
  | { readonly what: 'events' }
  | { readonly what: 'days'; readonly forward: string | null }
  | { readonly what: 'history'; readonly forward: string | null; readonly range: HistoryRange }
  | { readonly what: 'audit' | 'devices' | 'router' };

interface Values {
  readonly flows: readonly FlowRow[];
  readonly events: readonly EngineEvent[];
  readonly history: HistorySeries;
  readonly days: readonly DayTotal[];
  readonly audit: AuditReport;
  readonly devices: readonly Device[];
  readonly router: RouterReport;
}

export interface Loaded<T> {
  readonly value: T | null;
  readonly error: string | null;
}

const nothing: Loaded<never> = { value: null, error: null };
const keptEvents = 2000;

/** How old an answer may be before the next change of the picture has it asked for again. */
function maxAgeMs(want: Want): number {
  if (want.what === 'flows') return 900;
  if (want.what === 'days') return 10_000;
  if (want.what !== 'history') return Number.POSITIVE_INFINITY;
  return { '1m': 900, '5m': 900, '1h': 20_000, '24h': 120_000 }[want.range];
}

const keyOf = (want: Want): string =>
  want.what === 'history'
    ? `history ${want.range} ${want.forward ?? '*'}`
    : want.what === 'flows' || want.what === 'days'
      ? `${want.what} ${want.forward ?? '*'}`
      : want.what;

/** Asks the engine for what is wanted, once at a time each, and keeps the answers while they are wanted. */
export interface Resources {
  get<W extends Want['what']>(want: Want & { what: W }): Loaded<Values[W]>;
  /** Sees to it that these are there and not too old; forgets the others. */
  want(client: Client, wants: readonly Want[], now: number): void;
  reload(what: Want['what']): void;
  event(event: EngineEvent): void;
  /** Has all of it asked for again, of an engine that may be another one; what there is stays until it answers. */
  renew(): void;
}

interface Slot {
  loaded: Loaded<unknown>;
  at: number;
  busy: boolean;
}

export function createResources(onChange: () => void): Resources {
  const slots = new Map<string, Slot>();

  const ask = async (client: Client, want: Want, old: unknown, sinceMs: number): Promise<unknown> => {
    switch (want.what) {
      case 'flows': {
        const flows = await client.call('flows', want.forward === null ? {} : { forward: want.forward });
        return withRates(flows, (old as readonly FlowRow[] | null) ?? [], sinceMs);
      }
      case 'events':
        return client.call('events', { limit: 1000 });
      case 'days':
        return client.call('days', want.forward === null ? {} : { forward: want.forward });
      case 'history':
        return client.call('history', {
          range: want.range,
          ...(want.forward === null ? {} : { forward: want.forward }),
        });
      default:
        return client.call(want.what, {});
    }
  };

  return {
    get: (want) => (slots.get(keyOf(want))?.loaded ?? nothing) as never,
    want(client, wants, now) {
      const keys = new Set(wants.map(keyOf));
      for (const key of slots.keys()) if (!keys.has(key)) slots.delete(key);
      for (const want of wants) {
        const key = keyOf(want);
        const slot = slots.get(key) ?? { loaded: nothing, at: Number.NEGATIVE_INFINITY, busy: false };
        slots.set(key, slot);
        if (slot.busy || now - slot.at < maxAgeMs(want)) continue;
        slot.busy = true;
        const sinceMs = now - slot.at;
        slot.at = now;
        void ask(client, want, slot.loaded.value, sinceMs)
          .then(
            (value) => ({ value, error: null }),
            (error: unknown) => ({ value: slot.loaded.value, error: toFailure(error).message }),
          )
          .then((loaded) => {
            slot.busy = false;
            slot.loaded = loaded;
            if (slots.get(key) === slot) onChange();
          });
      }
    },
    reload(what) {
      for (const [key, slot] of slots) if (key.split(' ')[0] === what) slot.at = Number.NEGATIVE_INFINITY;
      onChange();
    },
    event(event) {
      const slot = slots.get('events');
      const known = slot?.loaded.value as readonly EngineEvent[] | null | undefined;
      if (slot === undefined || known == null || (known.at(-1)?.seq ?? 0) >= event.seq) return;
      slot.loaded = { value: [...known.slice(1 - keptEvents), event], error: null };
      onChange();
    },
    renew() {
      for (const slot of slots.values()) slot.at = Number.NEGATIVE_INFINITY;
      onChange();
    },
  };
}

/** Rates from two counts of the same flow. */
function withRates(flows: readonly Flow[], before: readonly FlowRow[], sinceMs: number): FlowRow[] {
  const old = new Map(before.map((flow) => [flow.id, flow]));
  const usable = Number.isFinite(sinceMs) && sinceMs >= 100;
  return flows.map((flow) => {
    const last = old.get(flow.id);
    const rate = (now: number, then: number) => (usable ? Math.max(0, ((now - then) * 1000) / sinceMs) : 0);
    return {
      ...flow,
      rxRate: last === undefined ? 0 : rate(flow.rx, last.rx),
      txRate: last === undefined ? 0 : rate(flow.tx, last.tx),
    };
  });
}
