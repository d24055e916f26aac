import type { Command } from 'commander';
import { parseCidr } from '../../model/cidr.ts';
import { parseDuration, someTime } from '../../model/duration.ts';
import { SallyportError } from '../../model/errors.ts';
import { parseRate } from '../../model/rate.ts';
import type { Place } from '../paths.ts';

/** The flags `add`, `map`, `trigger` and `edit` share, as typed. */
export interface CommonFlags {
  session?: string;
  up?: boolean;
  wait?: string;
  allow?: string[];
  deny?: string[];
  maxFlows?: string;
  rate?: string;
  idleFlow?: string;
  for?: string;
  note?: string;
  json?: boolean;
}

/** What the flags say about a forward; null: none of it (an `edit` clears it). */
export interface CommonFields {
  session?: string;
  allow?: string[] | null;
  deny?: string[] | null;
  maxFlows?: number | null;
  rate?: number | null;
  idleFlow?: string | null;
  until?: string | null;
  note?: string | null;
}

/** Gathers a repeatable option. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function declareCommon(command: Command): Command {
  return command
    .option('--session <session>', 'session it belongs to (default: default)')
    .option('--up', 'start it, and wait until it is up')
    .option('--wait <seconds>', 'how long --up waits (default: 15)')
    .option('--allow <cidr>', 'network that may connect; repeatable', collect)
    .option('--deny <cidr>', 'network that may not connect; repeatable', collect)
    .option('--max-flows <n>', 'flows at a time; one more is reset')
    .option('--rate <bytes/s>', 'bytes per second each way, over all flows: 500k, 2M')
    .option('--idle-flow <duration>', 'a flow without traffic for so long is ended')
    .option('--for <duration>', 'goes down by itself after so long')
    .option('--note <text>', 'free text')
    .option('--json', 'print JSON');
}

const isNone = (value: string | readonly string[]) =>
  value === 'none' || (Array.isArray(value) && value.join() === 'none');

/** @throws SallyportError `bad_value` */
export function commonFields(flags: CommonFlags, { now }: Pick<Place, 'now'>): CommonFields {
  const fields: CommonFields = {};
  const list = (entries: string[]) =>
    isNone(entries) ? null : entries.flatMap((entry) => entry.split(',')).map(parseCidr);
  if (flags.session !== undefined) fields.session = flags.session;
  if (flags.allow !== undefined) fields.allow = list(flags.allow);
  if (flags.deny !== undefined) fields.deny = list(flags.deny);
  if (flags.maxFlows !== undefined)
    fields.maxFlows = isNone(flags.maxFlows) ? null : count(flags.maxFlows, '--max-flows');
  if (flags.rate !== undefined) fields.rate = isNone(flags.rate) ? null : parseRate(flags.rate);
  if (flags.idleFlow !== undefined) fields.idleFlow = isNone(flags.idleFlow) ? null : someTime(flags.idleFlow);
  if (flags.for !== undefined) {
    fields.until = isNone(flags.for)
      ? null
      : new Date(now.getTime() + parseDuration(someTime(flags.for))).toISOString();
  }
  if (flags.note !== undefined) fields.note = flags.note === '' ? null : flags.note;
  return fields;
}

/** Takes away what says "none": a new forward has nothing to clear. */
export function withoutNulls<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as never;
}

export function count(text: string, flag: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new SallyportError('bad_value', `${flag} "${text}": not a whole number from 1`, `${flag} 100`);
  return Number(text);
}

/** Seconds to wait. */
export function waitMs(text: string | undefined, standardSeconds: number): number {
  if (text === undefined) return standardSeconds * 1000;
  if (!/^\d{1,6}(\.\d+)?$/.test(text))
    throw new SallyportError('bad_value', `--wait "${text}": not a number of seconds`, '--wait 30');
  return Number(text) * 1000;
}
