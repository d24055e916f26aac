// A boxed list under its heads, as every view but the overview has it.
import {
  type Column,
  headLine,
  type Layout,
  layoutColumns,
  roomFrom,
  rowLine,
  rowLineWith,
} from '../../present/columns.ts';
import type { Glyphs } from '../../present/glyphs.ts';
import { fitLine, type Line, onBack, type Segment, seg, sliceLine, textWidth, wrapText } from '../../present/line.ts';
import { type PanelTitle, panel } from '../../present/panel.ts';
import { windowOf } from './window.ts';

export interface ListProps<Row> {
  readonly title: PanelTitle;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** The row under the cursor; -1 for none. */
  readonly at: number;
  readonly width: number;
  /** All of it, edges included. */
  readonly height: number;
  readonly glyphs: Glyphs;
  /** What stands there when there is no row. */
  readonly empty: string;
  /** A sign before the row, and a text in place of its columns from one on. */
  readonly mark?: (row: Row) => Line[number];
  readonly instead?: (row: Row) => { readonly from: string; readonly line: Line } | null;
  readonly sortedBy?: string;
  /** A column whose text goes on below the row under the cursor when it is cut there. */
  readonly unfold?: { readonly column: string; readonly text: (row: Row) => Segment };
}

const longestUnfolded = 6;

/** The lines of the column that unfolds; one alone when its text is whole. */
function unfolded<Row>({ unfold, height }: ListProps<Row>, layout: Layout<Row>, row: Row | undefined): Segment[] {
  if (unfold === undefined || row === undefined) return [];
  const room = roomFrom(layout, unfold.column);
  const { text, role } = unfold.text(row);
  if (room <= 0 || textWidth(text) <= room) return [];
  return wrapText(text, room)
    .slice(0, Math.max(1, Math.min(longestUnfolded, height - 4)))
    .map((part) => seg(part, role));
}

export function listLines<Row>(props: ListProps<Row>): Line[] {
  const { columns, rows, at, width, glyphs, mark, unfold } = props;
  const lead = mark === undefined ? 2 : 4;
  const inner = width - 3 - lead;
  const height = Math.max(0, props.height - 3);
  const likely = windowOf(rows.length, Math.max(0, at), height);
  const layout = layoutColumns(columns, rows.length > 200 ? rows.slice(likely.from, likely.to) : rows, inner);
  const folds = unfolded(props, layout, rows[at]);
  const { from, to } = windowOf(rows.length, Math.max(0, at), height - Math.max(0, folds.length - 1));
  const shown = rows.slice(from, to);
  const lines: Line[] = [[seg(' '.repeat(lead)), ...headLine(layout, props.sortedBy)]];
  if (rows.length === 0) lines.push([seg(`  ${props.empty}`, 'dim')]);
  shown.forEach((row, i) => {
    const selected = from + i === at;
    const instead = props.instead?.(row) ?? null;
    const cells =
      instead === null
        ? rowLine(layout, row, glyphs.ellipsis)
        : rowLineWith(layout, row, instead.from, instead.line, glyphs.ellipsis);
    const bar = seg(selected ? glyphs.cursor : ' ', 'accent');
    const line: Line = [bar, seg(' '), ...(mark === undefined ? [] : [mark(row), seg(' ')]), ...cells];
    if (!selected) {
      lines.push(line);
      return;
    }
    const drawn = (one: Line) => lines.push(onBack(fitLine(one, width - 2), 'select'));
    if (unfold === undefined || folds.length === 0) {
      drawn(line);
      return;
    }
    const before = inner - roomFrom(layout, unfold.column);
    folds.forEach((part, at) => {
      drawn([...(at === 0 ? sliceLine(line, 0, lead + before) : [bar, seg(' '.repeat(lead + before - 1))]), part]);
    });
  });
  while (lines.length < height + 1) lines.push([]);
  const range = to - from < rows.length ? `${from + 1}-${to} of ${rows.length}` : '';
  const right = [props.title.right ?? '', range].filter((text) => text !== '').join(` ${glyphs.dot} `);
  return panel({ ...props.title, right }, lines.slice(0, height + 1), width, glyphs);
}
