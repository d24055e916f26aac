// A drawn line is a list of segments, each with a role the theme gives a colour to. Everything on the screen is built
// of these, so that what is shown can be tested as plain text and no string carries colour codes before it is painted.

import stringWidth from 'string-width';
import { graphemesOf, isPlain } from './graphemes.ts';
import { safeText } from './sanitize.ts';
import type { ColourRole } from './states.ts';
import { steadyText } from './steady.ts';

/** What a piece of text is; the theme decides how that looks. */
export type Role = ColourRole | 'accent' | 'rx' | 'tx' | 'frame' | 'title' | 'head' | 'key' | 'input';

export interface Segment {
  readonly text: string;
  readonly role: Role;
  readonly bold?: boolean;
  /** Drawn on the colour of the selected row, or as the place where typing goes. */
  readonly back?: 'select' | 'cursor';
}

export type Line = readonly Segment[];

/** One segment; text from outside is made safe here, so nothing reaches the screen around it. */
export function seg(text: string, role: Role = 'plain', bold = false): Segment {
  const safe = printable.test(text) ? text : safeText(text);
  return bold ? { text: safe, role, bold } : { text: safe, role };
}

const printable = /^[\x20-\x7e]*$/;

/** Terminal columns a text takes. */
export function textWidth(text: string): number {
  return isPlain(text) ? text.length : stringWidth(steadyText(text));
}

/** The longest beginning of a text that fits, with an ellipsis where something is left out. */
export function cutText(text: string, width: number, ellipsis = '…'): string {
  if (width <= 0) return '';
  if (textWidth(text) <= width) return text;
  const room = width - textWidth(ellipsis);
  if (room <= 0) return ellipsis.slice(0, width);
  if (isPlain(text)) return text.slice(0, room) + ellipsis;
  let out = '';
  let used = 0;
  for (const { segment } of graphemesOf(text)) {
    const next = used + textWidth(segment);
    if (next > room) break;
    out += segment;
    used = next;
  }
  return out + ellipsis;
}

/** A text cut or padded to exactly this many columns. */
export function fitText(text: string, width: number, align: 'left' | 'right' = 'left', ellipsis = '…'): string {
  const cut = cutText(text, width, ellipsis);
  const pad = ' '.repeat(Math.max(0, width - textWidth(cut)));
  return align === 'right' ? pad + cut : cut + pad;
}

export function lineWidth(line: Line): number {
  let width = 0;
  for (const { text } of line) width += textWidth(text);
  return width;
}

/** A line cut or padded to exactly this many columns. */
export function fitLine(line: Line, width: number, ellipsis = '…'): Line {
  const out: Segment[] = [];
  let left = width;
  for (const segment of line) {
    const own = textWidth(segment.text);
    if (own > left) {
      if (left > 0) out.push({ ...segment, text: fitText(segment.text, left, 'left', ellipsis) });
      return out;
    }
    if (own > 0) out.push(segment);
    left -= own;
  }
  if (left > 0) out.push({ text: ' '.repeat(left), role: 'plain' });
  return out;
}

/** Two ends of one line; where both do not fit, the left one gives way first. */
export function spread(left: Line, right: Line, width: number, ellipsis = '…'): Line {
  const rightWidth = lineWidth(right);
  if (rightWidth >= width) return fitLine(left, width, ellipsis);
  return [...fitLine(left, width - rightWidth, ellipsis), ...right];
}

/** The same line on a background; nothing dim stays dim there, for a selected row must be readable. */
export function onBack(line: Line, back: NonNullable<Segment['back']>): Line {
  return line.map((segment) => ({
    ...segment,
    back,
    role: segment.role === 'dim' || segment.role === 'frame' || segment.role === 'head' ? 'plain' : segment.role,
  }));
}

export function plainText(line: Line): string {
  return line.map(({ text }) => text).join('');
}

/** A paragraph broken at spaces into lines of at most this many columns; long words are broken where they must. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(' ')) {
    while (textWidth(word) > width && width > 0) {
      if (line !== '') lines.push(line);
      line = '';
      const head = cutText(word, width, '');
      if (head === '') break;
      lines.push(head);
      word = word.slice(head.length);
    }
    const joined = line === '' ? word : `${line} ${word}`;
    if (textWidth(joined) <= width) line = joined;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

/** The columns from `from` to `to` of a line; half of a wide character becomes a space. */
export function sliceLine(line: Line, from: number, to: number): Line {
  const out: Segment[] = [];
  let at = 0;
  for (const segment of line) {
    const end = at + textWidth(segment.text);
    if (end > from && at < to) {
      if (isPlain(segment.text)) {
        out.push({ ...segment, text: segment.text.slice(Math.max(0, from - at), to - at) });
      } else {
        let text = '';
        let column = at;
        for (const { segment: grapheme } of graphemesOf(segment.text)) {
          const next = column + textWidth(grapheme);
          if (column >= from && next <= to) text += grapheme;
          else text += ' '.repeat(Math.max(0, Math.min(next, to) - Math.max(column, from)));
          column = next;
        }
        out.push({ ...segment, text });
      }
    }
    at = end;
  }
  return out;
}

/** Lines laid over others at a place. */
export function overlay(base: readonly Line[], over: readonly Line[], left: number, top: number): Line[] {
  return base.map((line, y) => {
    const upper = over[y - top];
    if (upper === undefined) return line;
    const right = left + lineWidth(upper);
    return [...sliceLine(line, 0, left), ...upper, ...sliceLine(line, right, Number.POSITIVE_INFINITY)];
  });
}
