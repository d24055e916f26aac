// Columns that are measured, shrunk and dropped in a fixed order. Nothing wraps.
import { fitLine, fitText, type Line, lineWidth, type Segment, seg, textWidth } from './line.ts';

export interface Column<Row> {
  readonly id: string;
  readonly head: string;
  readonly align?: 'left' | 'right';
  /** Columns of the terminal: never fewer, never more; the content decides between. */
  readonly min: number;
  readonly max: number;
  /** The lowest goes first when there is no room. */
  readonly keep: number;
  /** Takes what room is left, so that what follows stands at the edge. */
  readonly grow?: boolean;
  /** Shown only where nothing else must be cut for it. */
  readonly extra?: boolean;
  readonly cell: (row: Row, width: number) => string | Segment | Line;
  /** What to measure, where drawing the cell would cost too much. */
  readonly measure?: (row: Row) => string;
}

export interface Placed<Row> {
  readonly column: Column<Row>;
  readonly width: number;
}

export interface Layout<Row> {
  readonly placed: readonly Placed<Row>[];
  readonly gap: number;
  readonly width: number;
}

const textOf = (cell: string | Segment | Line): Line =>
  typeof cell === 'string' ? [seg(cell)] : 'text' in cell ? [cell] : cell;

/** Which columns there are and how wide, for these rows in this width. */
export function layoutColumns<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  gap = width >= 100 ? 2 : 1,
): Layout<Row> {
  const wanted = new Map(
    columns.map((column) => {
      if (column.min === column.max) return [column.id, column.min];
      let natural = textWidth(column.head);
      for (const row of rows) {
        if (natural >= column.max) break;
        const own = column.measure ? textWidth(column.measure(row)) : lineWidth(textOf(column.cell(row, column.max)));
        if (own > natural) natural = own;
      }
      return [column.id, Math.min(column.max, natural)];
    }),
  );
  const least = (column: Column<Row>) => Math.min(column.min, wanted.get(column.id) ?? column.min);
  const kept = [...columns];
  const natural = () => kept.reduce((sum, column) => sum + (wanted.get(column.id) ?? 0), gap * (kept.length - 1));
  const lowestOf = (list: readonly Column<Row>[]) => list.reduce((a, b) => (b.keep < a.keep ? b : a));
  for (;;) {
    const extras = kept.filter(({ extra }) => extra);
    if (extras.length === 0 || natural() <= width) break;
    kept.splice(kept.indexOf(lowestOf(extras)), 1);
  }
  const needed = () => kept.reduce((sum, column) => sum + least(column), gap * (kept.length - 1));
  while (kept.length > 1 && needed() > width) {
    kept.splice(kept.indexOf(lowestOf(kept)), 1);
  }
  let spare = width - needed();
  const widths = new Map(kept.map((column) => [column.id, least(column)]));
  // What is left goes round, a column of the terminal each, to those whose content is cut.
  const short = () =>
    kept
      .filter(({ id }) => (widths.get(id) ?? 0) < (wanted.get(id) ?? 0))
      .sort((a, b) => b.keep - a.keep)
      .slice(0, spare);
  for (let hungry = short(); hungry.length > 0; hungry = short()) {
    for (const { id } of hungry) widths.set(id, (widths.get(id) ?? 0) + 1);
    spare -= hungry.length;
  }
  const growing = kept.filter(({ grow }) => grow);
  for (const { id } of growing) widths.set(id, (widths.get(id) ?? 0) + Math.floor(spare / growing.length));
  return { placed: kept.map((column) => ({ column, width: widths.get(column.id) ?? 0 })), gap, width };
}

export function headLine<Row>(layout: Layout<Row>, sortedBy?: string): Line {
  const out: Segment[] = [];
  layout.placed.forEach(({ column, width }, i) => {
    if (i > 0) out.push(seg(' '.repeat(layout.gap)));
    const role = column.id === sortedBy ? 'accent' : 'head';
    out.push(seg(fitText(column.head, width, column.align), role));
  });
  return fitLine(out, layout.width);
}

export function rowLine<Row>(layout: Layout<Row>, row: Row, ellipsis = '…'): Line {
  const out: Segment[] = [];
  layout.placed.forEach(({ column, width }, i) => {
    if (i > 0) out.push(seg(' '.repeat(layout.gap)));
    out.push(...cellLine(column, row, width, ellipsis));
  });
  return fitLine(out, layout.width, ellipsis);
}

function cellLine<Row>(column: Column<Row>, row: Row, width: number, ellipsis: string): Line {
  const line = textOf(column.cell(row, width));
  if (column.align !== 'right') return fitLine(line, width, ellipsis);
  const own = lineWidth(line);
  return own >= width ? fitLine(line, width, ellipsis) : [seg(' '.repeat(width - own)), ...line];
}

/** A row whose columns from `from` on are replaced by one text. */
export function rowLineWith<Row>(layout: Layout<Row>, row: Row, from: string, rest: Line, ellipsis = '…'): Line {
  const at = layout.placed.findIndex(({ column }) => column.id === from);
  const index = at < 0 ? layout.placed.length : at;
  const head = { ...layout, placed: layout.placed.slice(0, index) };
  const used = head.placed.reduce((sum, { width }) => sum + width, 0) + layout.gap * index;
  return [
    ...fitLine(rowLine({ ...head, width: used }, row, ellipsis), Math.min(used, layout.width)),
    ...fitLine(rest, Math.max(0, layout.width - used), ellipsis),
  ];
}

/** Room the columns before `id` leave. */
export function roomFrom<Row>(layout: Layout<Row>, id: string): number {
  let used = 0;
  for (const { column, width } of layout.placed) {
    if (column.id === id) return layout.width - used;
    used += width + layout.gap;
  }
  return 0;
}
