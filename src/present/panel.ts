// Boxes with a title in their upper edge.
import type { Glyphs } from './glyphs.ts';
import { cutText, fitLine, type Line, lineWidth, type Segment, seg, textWidth } from './line.ts';

export interface PanelTitle {
  readonly left: string;
  readonly right?: string;
  /** The panel the cursor is in. */
  readonly focused?: boolean;
}

/** The upper edge: `╭ 1 tunnels · 12 ──── sort name ─╮`. */
export function panelTop(title: PanelTitle, width: number, glyphs: Glyphs): Line {
  const { box } = glyphs;
  const inner = width - 2;
  const edge = title.focused ? 'accent' : 'frame';
  const left = cutText(` ${title.left} `, inner, glyphs.ellipsis);
  const room = inner - textWidth(left) - 2;
  const right = title.right && textWidth(title.right) + 2 <= room ? ` ${title.right} ` : '';
  const fill = Math.max(0, inner - textWidth(left) - textWidth(right) - (right === '' ? 0 : 1));
  return [
    seg(box.topLeft, edge),
    seg(left, title.focused ? 'accent' : 'title', true),
    seg(box.across.repeat(fill), edge),
    ...(right === '' ? [] : [seg(right, 'dim'), seg(box.across, edge)]),
    seg(box.topRight, edge),
  ];
}

export function panelBottom(width: number, glyphs: Glyphs, focused = false): Line {
  const { box } = glyphs;
  return [seg(box.bottomLeft + box.across.repeat(width - 2) + box.bottomRight, focused ? 'accent' : 'frame')];
}

/** A box around lines; each is cut or padded to the inside. */
export function panel(title: PanelTitle, lines: readonly Line[], width: number, glyphs: Glyphs): Line[] {
  return [
    panelTop(title, width, glyphs),
    ...lines.map((line) => panelRow(line, width, glyphs, title.focused)),
    panelBottom(width, glyphs, title.focused),
  ];
}

export function panelRow(line: Line, width: number, glyphs: Glyphs, focused = false): Line {
  const edge: Segment = seg(glyphs.box.down, focused ? 'accent' : 'frame');
  return [edge, ...fitLine(line, width - 2, glyphs.ellipsis), edge];
}

/** Lines in the middle of a wider field. */
export function centred(lines: readonly Line[], width: number): Line[] {
  return lines.map((line) => {
    const left = Math.max(0, Math.floor((width - lineWidth(line)) / 2));
    return fitLine([seg(' '.repeat(left)), ...line], width);
  });
}
