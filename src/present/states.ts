import type { ForwardState } from '../model/state.ts';

/** Roles a theme gives a colour to. */
export type ColourRole = 'good' | 'busy' | 'ask' | 'bad' | 'dim' | 'plain';

/** How each state looks: a glyph, its ASCII stand-in, a colour role and a word; never the colour alone. */
export const stateLooks: Readonly<
  Record<ForwardState, { glyph: string; ascii: string; role: ColourRole; word: string }>
> = {
  off: { glyph: '○', ascii: '-', role: 'dim', word: 'off' },
  starting: { glyph: '◍', ascii: '~', role: 'busy', word: 'starting' },
  up: { glyph: '●', ascii: '*', role: 'good', word: 'up' },
  waiting: { glyph: '▲', ascii: '?', role: 'ask', word: 'needs you' },
  retrying: { glyph: '◌', ascii: '.', role: 'busy', word: 'retrying' },
  failed: { glyph: '✖', ascii: 'x', role: 'bad', word: 'failed' },
  degraded: { glyph: '◐', ascii: '!', role: 'busy', word: 'degraded' },
};

/** What wants to be seen first. */
export const urgency: Readonly<Record<ForwardState, number>> = {
  waiting: 0,
  failed: 1,
  retrying: 2,
  degraded: 3,
  starting: 4,
  up: 5,
  off: 6,
};
