// Bytes of each day, with a bar for who reads only shapes.
import type { DayTotal } from '../model/reports.ts';
import type { Column } from './columns.ts';
import type { Glyphs } from './glyphs.ts';
import { seg } from './line.ts';
import { formatBytes } from './quantity.ts';

const weekday = (day: string) =>
  new Date(`${day}T12:00:00Z`).toLocaleString('en', { weekday: 'short', timeZone: 'UTC' });

/** Both directions as one bar, on the scale of the busiest day. */
function bar({ rx, tx }: DayTotal, most: number, cells: number, glyphs: Glyphs) {
  if (most <= 0) return [];
  const all = Math.round(((rx + tx) / most) * cells);
  const length = rx + tx > 0 ? Math.max(1, all) : 0;
  const down = Math.round((rx / Math.max(1, rx + tx)) * length);
  return [seg(glyphs.bar.full.repeat(down), 'rx'), seg(glyphs.bar.full.repeat(length - down), 'tx')];
}

export function dayColumns(days: readonly DayTotal[], glyphs: Glyphs): Column<DayTotal>[] {
  const most = Math.max(0, ...days.map(({ rx, tx }) => rx + tx));
  return [
    { id: 'day', head: 'DAY', min: 10, max: 10, keep: 100, cell: ({ day }) => seg(day, 'plain', true) },
    { id: 'weekday', head: '', min: 3, max: 3, keep: 40, cell: ({ day }) => seg(weekday(day), 'dim') },
    {
      id: 'rx',
      head: glyphs.rx,
      align: 'right',
      min: 8,
      max: 8,
      keep: 80,
      cell: ({ rx }) => seg(formatBytes(rx), 'rx'),
    },
    {
      id: 'tx',
      head: glyphs.tx,
      align: 'right',
      min: 8,
      max: 8,
      keep: 70,
      cell: ({ tx }) => seg(formatBytes(tx), 'tx'),
    },
    {
      id: 'total',
      head: 'TOTAL',
      align: 'right',
      min: 8,
      max: 8,
      keep: 60,
      cell: ({ rx, tx }) => seg(formatBytes(rx + tx), 'plain', true),
    },
    {
      id: 'bar',
      head: '',
      min: 8,
      max: 60,
      keep: 50,
      measure: () => ' '.repeat(60),
      cell: (day, cells) => bar(day, most, cells, glyphs),
    },
  ];
}
