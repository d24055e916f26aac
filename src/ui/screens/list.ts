// A boxed list under its heads, as every view but the overview has it.
import { type Column, headLine, layoutColumns, rowLine, rowLineWith } from '../../present/columns.ts';
import type { Glyphs } from '../../present/glyphs.ts';
import { fitLine, type Line, onBack, seg } from '../../present/line.ts';
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
}

export function listLines<Row>(props: ListProps<Row>): Line[] {
  const { columns, rows, at, width, glyphs, mark } = props;
  const lead = mark === undefined ? 2 : 4;
  const inner = width - 3 - lead;
  const height = Math.max(0, props.height - 3);
  const { from, to } = windowOf(rows.length, Math.max(0, at), height);
  const shown = rows.slice(from, to);
  const layout = layoutColumns(columns, rows.length > 200 ? shown : rows, inner);
  const lines: Line[] = [[seg(' '.repeat(lead)), ...headLine(layout, props.sortedBy)]];
  if (rows.length === 0) lines.push([seg(`  ${props.empty}`, 'dim')]);
  shown.forEach((row, i) => {
    const selected = from + i === at;
    const instead = props.instead?.(row) ?? null;
    const cells =
      instead === null
        ? rowLine(layout, row, glyphs.ellipsis)
        : rowLineWith(layout, row, instead.from, instead.line, glyphs.ellipsis);
    const line: Line = [
      seg(selected ? glyphs.cursor : ' ', 'accent'),
      seg(' '),
      ...(mark === undefined ? [] : [mark(row), seg(' ')]),
      ...cells,
    ];
    lines.push(selected ? onBack(fitLine(line, width - 2), 'select') : line);
  });
  while (lines.length < height + 1) lines.push([]);
  const more = rows.length > height ? `${from + 1}-${to} of ${rows.length}` : '';
  const right = [props.title.right ?? '', more].filter((text) => text !== '').join(` ${glyphs.dot} `);
  return panel({ ...props.title, right }, lines.slice(0, height + 1), width, glyphs);
}
