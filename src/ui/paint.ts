import type { Line, Role, Segment } from '../present/line.ts';
import type { Style, Theme } from './theme.ts';

/** A line as a terminal takes it. */
export type Painter = (line: Line) => string;

const reset = '\u001b[0m';

/** The nearest of the 216 colours of a 256-colour terminal. */
function nearest256(rgb: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => (value < 48 ? 0 : value < 115 ? 1 : Math.floor((value - 35) / 40)));
  const spread = Math.max(...rgb) - Math.min(...rgb);
  const mean = rgb.reduce((sum, value) => sum + value, 0) / 3;
  // Greys, and near-greys as backgrounds are, have finer steps of their own.
  if (spread < 20 && mean > 8 && mean < 238) return 232 + Math.round((mean - 8) / 10);
  return 16 + 36 * r + 6 * g + b;
}

function colourCode(colour: NonNullable<Style['fg']>, depth: number, background: boolean): string {
  if (typeof colour === 'number') return String((colour < 8 ? 30 : 82) + colour + (background ? 10 : 0));
  const rgb = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  const kind = background ? 48 : 38;
  return depth >= 24 ? `${kind};2;${rgb.join(';')}` : `${kind};5;${nearest256(rgb)}`;
}

function startOf(theme: Theme, depth: number, role: Role, bold: boolean, back: Segment['back']): string {
  const own = theme.roles[role];
  const behind = back === undefined ? {} : theme.backs[back];
  const codes = [
    bold || own.bold ? '1' : '',
    behind.inverse ? '7' : '',
    own.fg === undefined || behind.inverse ? '' : colourCode(own.fg, depth, false),
    behind.bg === undefined ? '' : colourCode(behind.bg, depth, true),
  ].filter((code) => code !== '');
  return codes.length === 0 ? '' : `\u001b[${codes.join(';')}m`;
}

export function createPainter(theme: Theme, depth: number): Painter {
  const known = new Map<string, string>();
  return (line) => {
    let out = '';
    let open = '';
    for (const { text, role, bold = false, back } of line) {
      const key = `${role}${bold ? '!' : ' '}${back ?? ''}`;
      let start = known.get(key);
      if (start === undefined) {
        start = startOf(theme, depth, role, bold, back);
        known.set(key, start);
      }
      if (start !== open) {
        if (open !== '') out += reset;
        out += start;
        open = start;
      }
      out += text;
    }
    return open === '' ? out : out + reset;
  };
}
