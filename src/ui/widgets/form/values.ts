// The fields that stand for one key of a forward each, of the same name: from text to value, and back.
import { parseDuration, someTime } from '../../../model/duration.ts';
import { SallyportError } from '../../../model/errors.ts';
import { formatRateSetting, parseRate } from '../../../model/rate.ts';
import type { FieldId } from './fields.ts';

interface Value {
  /** @throws SallyportError for what can be no such value; what else is wrong, the schema says */
  readonly read: (text: string) => unknown;
  readonly write: (value: unknown) => string;
}

export const listOf = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '');

const bad = (message: string) => new SallyportError('bad_value', message);

const text: Value = { read: (typed) => typed, write: String };
const list: Value = { read: listOf, write: (value) => (value as string[]).join(', ') };
const duration: Value = { read: someTime, write: String };
const whole: Value = { read: (typed) => (/^\d+$/.test(typed) ? Number(typed) : typed), write: String };
const rate: Value = { read: parseRate, write: (value) => formatRateSetting(value as number) };
const probe: Value = {
  read: (typed) => (typed === 'off' ? false : someTime(typed)),
  write: (value) => (value === false ? 'off' : String(value)),
};
const yesNo: Value = {
  read(typed) {
    if (!/^(y|yes|n|no)$/i.test(typed)) throw bad('yes or no');
    return /^y/i.test(typed);
  },
  write: (value) => (value ? 'yes' : 'no'),
};
/** The schema fills in `first`, so that alone says nothing. */
const second: Value = {
  read: (typed) => typed.toLowerCase(),
  write: (value) => (value === 'first' ? '' : String(value)),
};
const login: Value = {
  read(typed) {
    const [, user, passwordFile] = /^([^:]+):(\/.+)$/.exec(typed) ?? [];
    if (user === undefined) throw bad('USER:FILE, the file by its whole path, with the password in it');
    return { user, passwordFile };
  },
  write(value) {
    const { user, passwordFile } = value as { user: string; passwordFile: string };
    return `${user}:${passwordFile}`;
  },
};

const values: Partial<Record<FieldId, Value>> = {
  session: text,
  allow: list,
  deny: list,
  maxFlows: whole,
  rate,
  idleFlow: duration,
  probe,
  note: text,
  login,
  proxyProtocol: yesNo,
  masquerade: yesNo,
  helper: text,
  force: yesNo,
  from: list,
  to: list,
  second,
  maxOpen: duration,
  closeFlows: yesNo,
  source: text,
  bind: text,
};

export const valueFields = Object.entries(values) as readonly (readonly [FieldId, Value])[];

/** When a forward ends that goes down so long from now (`8h`), ISO time. */
export const endAfter = (typed: string, now: number): string =>
  new Date(now + parseDuration(someTime(typed))).toISOString();

/** How long until then, as `endAfter` takes it; nothing once it is over. */
export function untilEnd(until: string, now: number): string {
  const minutes = Math.ceil((Date.parse(until) - now) / 60_000);
  if (minutes <= 0) return '';
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return `${hours > 0 ? `${hours}h` : ''}${rest > 0 ? `${rest}m` : ''}`;
}
