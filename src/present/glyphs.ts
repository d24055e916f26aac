import type { ForwardState } from '../model/state.ts';
import { stateLooks } from './states.ts';

/** Every sign that is not a letter, so that a terminal without Unicode can be given others. */
export interface Glyphs {
  readonly ascii: boolean;
  readonly rx: string;
  readonly tx: string;
  readonly cursor: string;
  readonly mark: string;
  readonly dot: string;
  readonly arrow: string;
  readonly ellipsis: string;
  readonly check: string;
  readonly dash: string;
  readonly bar: { readonly open: string; readonly full: string; readonly empty: string; readonly close: string };
  readonly box: {
    readonly topLeft: string;
    readonly topRight: string;
    readonly bottomLeft: string;
    readonly bottomRight: string;
    readonly across: string;
    readonly down: string;
  };
  state(state: ForwardState): string;
}

export const unicodeGlyphs: Glyphs = {
  ascii: false,
  rx: '▼',
  tx: '▲',
  cursor: '▌',
  mark: '◆',
  dot: '·',
  arrow: '→',
  ellipsis: '…',
  check: '✓',
  dash: '─',
  bar: { open: '▕', full: '█', empty: '░', close: '▏' },
  box: { topLeft: '╭', topRight: '╮', bottomLeft: '╰', bottomRight: '╯', across: '─', down: '│' },
  state: (state) => stateLooks[state].glyph,
};

export const asciiGlyphs: Glyphs = {
  ascii: true,
  rx: 'v',
  tx: '^',
  cursor: '>',
  mark: '+',
  dot: '-',
  arrow: '->',
  ellipsis: '~',
  check: 'ok',
  dash: '-',
  bar: { open: '[', full: '#', empty: '.', close: ']' },
  box: { topLeft: '+', topRight: '+', bottomLeft: '+', bottomRight: '+', across: '-', down: '|' },
  state: (state) => stateLooks[state].ascii,
};

/** What a terminal can draw: its character set is the locale's, as setlocale(3) would read the environment. */
export function glyphsFor(env: NodeJS.ProcessEnv): Glyphs {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  // The fonts of the kernel's own console have neither braille nor blocks.
  return /utf-?8/i.test(locale) && env.TERM !== 'linux' ? unicodeGlyphs : asciiGlyphs;
}
