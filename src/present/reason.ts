// Why a forward is not simply up, in one clause.
import type { ForwardView } from '../model/snapshot.ts';
import type { Glyphs } from './glyphs.ts';
import { formatSpan } from './quantity.ts';
import { type ColourRole, stateLooks } from './states.ts';

export interface Reason {
  readonly text: string;
  readonly role: ColourRole;
}

/** What a row says in place of its rates; null for one that is plainly up. */
export function reasonOf(view: ForwardView, now: number, glyphs: Glyphs): Reason | null {
  const { role, word } = stateLooks[view.state];
  const why = view.error?.message ?? '';
  switch (view.state) {
    case 'up':
      return null;
    case 'off':
      return { text: 'off', role };
    case 'starting':
      return { text: `starting${glyphs.ellipsis}`, role };
    case 'waiting':
      return { text: `${why === '' ? word : why} (enter)`, role };
    case 'retrying':
      return { text: `${nextTry(view.nextTry, now)}${why === '' ? '' : `: ${why}`}`, role };
    case 'failed':
    case 'degraded':
      return { text: why === '' ? word : `${word}: ${why}`, role };
  }
}

/** `retry in 4 s`; the moment it is due it says so. */
export function nextTry(at: string | null, now: number): string {
  const left = at === null ? 0 : Date.parse(at) - now;
  return left < 500 ? 'trying again' : `retry in ${formatSpan(left + 499)}`;
}

/** `ends in 29m 12s`, of a forward that goes down by itself at `until` (ISO time). */
export function timeLeft(until: string, now: number): string {
  return `ends in ${formatSpan(Math.max(0, Date.parse(until) - now))}`;
}
