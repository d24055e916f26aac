import type { ForwardView, Snapshot } from '../model/snapshot.ts';
import type { ForwardState } from '../model/state.ts';
import type { Column } from './columns.ts';
import type { Glyphs } from './glyphs.ts';
import { type Line, lineWidth, plainText, seg } from './line.ts';
import { formatBytes, formatRate } from './quantity.ts';
import { stateLooks, urgency } from './states.ts';

export interface SessionRow {
  readonly name: string;
  readonly note: string;
  readonly forwards: readonly ForwardView[];
}

export function sessionRows(snapshot: Snapshot, views: readonly ForwardView[]): SessionRow[] {
  return Object.entries(snapshot.sessions).map(([name, { note }]) => ({
    name,
    note,
    forwards: views.filter(({ session }) => session === name),
  }));
}

const sum = (row: SessionRow, of: (view: ForwardView) => number) =>
  row.forwards.reduce((total, view) => total + of(view), 0);

/** How many are in each state, in words where there is room for them. */
function health(row: SessionRow, glyphs: Glyphs, room: number): Line {
  const tally = new Map<ForwardState, number>();
  for (const { state } of row.forwards) tally.set(state, (tally.get(state) ?? 0) + 1);
  if (tally.size === 0) return [seg('empty', 'dim')];
  const states = [...tally].sort(([a], [b]) => urgency[a] - urgency[b]);
  const draw = (words: boolean): Line =>
    states.map(([state, many], i) => {
      const { role, word } = stateLooks[state];
      return seg(`${i === 0 ? '' : words ? '  ' : ' '}${glyphs.state(state)} ${many}${words ? ` ${word}` : ''}`, role);
    });
  const whole = draw(true);
  return lineWidth(whole) <= room ? whole : draw(false);
}

export function sessionColumns(glyphs: Glyphs): Column<SessionRow>[] {
  return [
    { id: 'name', head: 'SESSION', min: 10, max: 28, keep: 100, cell: ({ name }) => seg(name, 'plain', true) },
    {
      id: 'count',
      head: 'FORWARDS',
      align: 'right',
      min: 8,
      max: 8,
      keep: 70,
      cell: ({ forwards }) => String(forwards.length),
    },
    {
      id: 'rate',
      head: 'RATE',
      align: 'right',
      min: 10,
      max: 10,
      keep: 50,
      cell: (row) => {
        const rate = sum(row, ({ rxRate, txRate }) => rxRate + txRate);
        return seg(rate === 0 ? '0' : formatRate(rate), rate === 0 ? 'dim' : 'rx');
      },
    },
    {
      id: 'total',
      head: 'TOTAL',
      align: 'right',
      min: 8,
      max: 8,
      keep: 40,
      cell: (row) => seg(formatBytes(sum(row, ({ rx, tx }) => rx + tx)), 'dim'),
    },
    {
      id: 'health',
      head: 'STATE',
      min: 19,
      max: 80,
      keep: 90,
      measure: (row) => plainText(health(row, glyphs, Number.POSITIVE_INFINITY)),
      cell: (row, room) => health(row, glyphs, room),
    },
    { id: 'note', head: 'NOTE', min: 8, max: 60, keep: 30, cell: ({ note }) => seg(note, 'dim') },
  ];
}
