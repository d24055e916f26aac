import stringWidth from 'string-width';

/** A Markdown table, its columns padded so that the source can be read as well; the last one ends where it ends. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => stringWidth(row[column] ?? ''))));
  const line = (row: readonly string[], fill: string) =>
    `| ${row
      .map((cell, i) =>
        i === row.length - 1 ? cell : cell + fill.repeat(Math.max(0, (widths[i] ?? 0) - stringWidth(cell))),
      )
      .join(' | ')} |`;
  const [first = [], ...others] = cells;
  return [
    line(first, ' '),
    line(
      head.map(() => '---'),
      '-',
    ),
    ...others.map((row) => line(row, ' ')),
  ].join('\n');
}

export const code = (text: string): string => `\`${text}\``;
