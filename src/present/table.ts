import { graphemesOf } from './graphemes.ts';
import { textWidth } from './line.ts';
import { safeText } from './sanitize.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Columns are dropped from the highest number down when the line is too narrow; 0 stays. */
  readonly drop?: number;
  /** May be shortened to this many cells before anything is dropped. */
  readonly min?: number;
  /** Left out where every cell is empty. */
  readonly optional?: boolean;
}

export interface TableOptions {
  /** Cells a line may take; null: as many as it needs. */
  readonly width: number | null;
  /** Colours a cell that has its final width already. */
  readonly paint?: (text: string, row: number, column: number) => string;
}

const gap = '  ';

/** `text` in at most `width` cells, an ellipsis where something is missing. */
export function shorten(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemesOf(text)) {
    const cells = textWidth(segment);
    if (used + cells > width - 1) break;
    kept += segment;
    used += cells;
  }
  return width < 1 ? '' : `${kept}…`;
}

function pad(text: string, width: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'right' ? space + text : text + space;
}

/** A table as lines, without trailing space; control sequences in cells are taken out. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, paint = (text) => text }: TableOptions,
): string[] {
  const cells = rows.map((row) => row.map(safeText));
  let shown = columns
    .map((_, i) => i)
    .filter((i) => !columns[i]?.optional || cells.some((row) => (row[i] ?? '') !== ''));
  let widths = naturalWidths(columns, cells);
  const total = () => shown.reduce((sum, i) => sum + (widths[i] as number), 0) + gap.length * (shown.length - 1);
  while (width !== null && total() > width) {
    if (shrink(columns, shown, widths, total() - width)) break;
    const droppable = shown.filter((i) => (columns[i]?.drop ?? 0) > 0);
    if (droppable.length === 0) break;
    const victim = droppable.reduce((a, b) => ((columns[b]?.drop ?? 0) > (columns[a]?.drop ?? 0) ? b : a));
    shown = shown.filter((i) => i !== victim);
    widths = naturalWidths(columns, cells);
  }
  const line = (row: readonly string[], at: number) =>
    shown
      .map((i, place) => {
        const column = columns[i] as Column;
        const text = shorten(row[i] ?? '', widths[i] as number);
        const last = place === shown.length - 1 && column.align !== 'right';
        const padded = last ? text : pad(text, widths[i] as number, column.align);
        return at < 0 ? padded : paint(padded, at, i);
      })
      .join(gap)
      .trimEnd();
  return [
    line(
      columns.map(({ title }) => title),
      -1,
    ),
    ...cells.map(line),
  ];
}

const naturalWidths = (columns: readonly Column[], cells: readonly (readonly string[])[]) =>
  columns.map(({ title }, i) => Math.max(textWidth(title), ...cells.map((row) => textWidth(row[i] ?? ''))));

/** Takes `excess` cells from the columns that can be shortened, the widest first; false when they have not enough. */
function shrink(columns: readonly Column[], shown: readonly number[], widths: number[], excess: number): boolean {
  const room = (i: number) => {
    const least = columns[i]?.min;
    return least === undefined ? 0 : Math.max(0, (widths[i] as number) - least);
  };
  if (shown.reduce((sum, i) => sum + room(i), 0) < excess) return false;
  for (let left = excess; left > 0; left--) {
    const candidates = shown.filter((i) => room(i) > 0);
    const widest = candidates.reduce((a, b) => ((widths[b] as number) > (widths[a] as number) ? b : a));
    widths[widest] = (widths[widest] as number) - 1;
  }
  return true;
}
