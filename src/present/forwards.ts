// The rows of the overview's three panels.

import { parseDuration } from '../model/duration.ts';
import { triggerSets } from '../model/kinds.ts';
import type { ForwardEntry, ForwardView } from '../model/snapshot.ts';
import { type Column, type Layout, layoutColumns, roomFrom, rowLine, rowLineWith } from './columns.ts';
import { cutEndpoint, shortListen } from './endpoint.ts';
import type { Glyphs } from './glyphs.ts';
import { sparkline } from './graph.ts';
import type { Group } from './kinds.ts';
import { cutText, type Line, type Segment, seg, textWidth } from './line.ts';
import { formatBytes, formatRate, formatShort, formatSpan } from './quantity.ts';
import { reasonOf } from './reason.ts';
import { stateLooks, urgency } from './states.ts';

export interface ForwardRow {
  readonly view: ForwardView;
  readonly config: ForwardEntry['config'];
  /** Bytes a second both ways together, the last minute, oldest first. */
  readonly samples: readonly number[];
  /** Something out of the ordinary about who connects, lately. */
  readonly unusual?: boolean;
}

export const sortKeys = ['config', 'name', 'state', 'rate', 'flows', 'total'] as const;
export type SortKey = (typeof sortKeys)[number];

/** What the panel's title calls each order. */
export const sortNames: Readonly<Record<SortKey, string>> = {
  config: 'as defined',
  name: 'name',
  state: 'state',
  rate: 'rate',
  flows: 'flows',
  total: 'bytes',
};

/** Rows in an order; `config` keeps the file's. Ties keep their places. */
export function sortRows(rows: readonly ForwardRow[], by: SortKey): readonly ForwardRow[] {
  if (by === 'config') return rows;
  const measure: Record<Exclude<SortKey, 'config' | 'name'>, (view: ForwardView) => number> = {
    state: (view) => urgency[view.state],
    rate: (view) => -(view.rxRate + view.txRate),
    flows: (view) => -view.flows,
    total: (view) => -(view.rx + view.tx),
  };
  if (by === 'name') return [...rows].sort((a, b) => a.view.name.localeCompare(b.view.name, 'en', { numeric: true }));
  return [...rows].sort((a, b) => measure[by](a.view) - measure[by](b.view));
}

const rateRole = (rate: number, role: 'rx' | 'tx') => (rate > 0 ? role : 'dim');

function rateColumns(width: number): Column<ForwardRow>[] {
  const short = width < 100;
  const size = short ? 6 : 9;
  const format = (rate: number) => (short ? formatShort(rate) : rate === 0 ? '0' : formatRate(rate));
  const cell = (role: 'rx' | 'tx') => (row: ForwardRow) => {
    if (row.view.state === 'off') return seg('');
    const rate = role === 'rx' ? row.view.rxRate : row.view.txRate;
    return seg(format(rate), rateRole(rate, role));
  };
  return [
    { id: 'rx', head: '▼', align: 'right', min: size, max: size, keep: 90, cell: cell('rx') },
    { id: 'tx', head: '▲', align: 'right', min: size, max: size, keep: 80, cell: cell('tx') },
  ];
}

function tailColumns(width: number, glyphs: Glyphs): Column<ForwardRow>[] {
  const spark = width >= 170 ? 20 : width >= 110 ? 10 : 8;
  return [
    {
      id: 'flows',
      head: 'FLOWS',
      align: 'right',
      min: 5,
      max: 5,
      keep: 50,
      cell: ({ view }) => seg(view.state === 'off' ? '' : String(view.flows), view.flows > 0 ? 'plain' : 'dim'),
    },
    {
      id: 'spark',
      head: '1 MIN',
      min: spark,
      max: spark,
      keep: 40,
      cell: ({ samples }, cells) => seg(sparkline(lastMinute(samples, cells), cells, glyphs.ascii), 'accent'),
    },
    {
      id: 'total',
      extra: true,
      head: 'TOTAL',
      align: 'right',
      min: 8,
      max: 8,
      keep: 12,
      cell: ({ view }) => seg(view.rx + view.tx === 0 ? '' : formatBytes(view.rx + view.tx), 'dim'),
    },
    {
      id: 'session',
      extra: true,
      head: 'SESSION',
      min: 8,
      max: 14,
      keep: 11,
      cell: ({ view }) => seg(view.session, 'dim'),
    },
    { id: 'note', extra: true, head: 'NOTE', min: 12, max: 40, keep: 10, cell: ({ view }) => seg(view.note, 'dim') },
  ];
}

/** The minute's samples gathered into as many groups as there are characters, the peak of each. */
function lastMinute(samples: readonly number[], cells: number): number[] {
  const size = Math.max(1, Math.ceil(60 / cells));
  const out: number[] = [];
  for (let end = samples.length; end > 0 && out.length < cells; end -= size) {
    out.unshift(Math.max(...samples.slice(Math.max(0, end - size), end)));
  }
  return out;
}

/** As wide in every panel, so that what follows stands below each other. */
const nameColumn = (cells: number): Column<ForwardRow> => ({
  id: 'name',
  head: 'NAME',
  min: cells,
  max: cells,
  keep: 100,
  cell: ({ view, unusual }, room) => {
    const name = (text: string) => seg(text, view.state === 'off' ? 'dim' : 'plain', view.state !== 'off');
    if (!unusual) return name(view.name);
    // Orange is for what waits for a person; this only wants to be looked at.
    const fits = textWidth(view.name) + 2 <= room;
    return [name(fits ? `${view.name} ` : cutText(view.name, room - 1, '')), seg('!', 'busy', true)];
  },
});

const text = (row: ForwardRow, value: string) => seg(value, row.view.state === 'off' ? 'dim' : 'plain');

const targetOf = ({ view, config }: ForwardRow) =>
  view.target ?? (config.kind === 'remote' || config.kind === 'dynamic' ? 'any (SOCKS)' : '');

function middleColumns(group: Group, narrow: boolean, { ellipsis }: Glyphs): Column<ForwardRow>[] {
  const listen: Column<ForwardRow> = {
    id: 'listen',
    head: group === 'mappings' ? 'EXTERNAL' : 'LISTEN',
    min: narrow ? 6 : 14,
    max: 24,
    keep: 70,
    measure: (row) => shortListen(row.view.listen, narrow),
    cell: (row, cells) => text(row, cutEndpoint(shortListen(row.view.listen, narrow), cells, ellipsis)),
  };
  const target: Column<ForwardRow> = {
    id: 'target',
    head: group === 'mappings' ? 'INTERNAL' : 'TARGET',
    min: narrow ? 10 : 12,
    max: 30,
    keep: 60,
    grow: true,
    measure: targetOf,
    cell: (row, cells) => text(row, cutEndpoint(targetOf(row), cells, ellipsis)),
  };
  if (group === 'mappings') {
    return [
      {
        id: 'proto',
        head: 'PROTO',
        min: 5,
        max: 7,
        keep: 25,
        cell: (row) => text(row, row.config.kind === 'mapping' ? row.config.proto : ''),
      },
      listen,
      { id: 'via', head: 'VIA', min: 8, max: 18, keep: 35, cell: (row) => text(row, row.view.via) },
      target,
    ];
  }
  return [
    { id: 'kind', head: 'KIND', min: 7, max: 7, keep: 30, cell: (row) => text(row, row.view.kind) },
    listen,
    { id: 'host', head: 'HOST', min: 9, max: 22, keep: 45, cell: (row) => text(row, row.view.host ?? '') },
    target,
  ];
}

/** How wide the names of all panels are, within bounds. */
export function nameWidth(rows: Iterable<ForwardRow>, width: number): number {
  let widest = 4;
  for (const { view } of rows) widest = Math.max(widest, textWidth(view.name));
  return Math.min(widest, width >= 160 ? 40 : width >= 100 ? 24 : width >= 60 ? 16 : 12);
}

/** Columns of a panel. */
export function forwardLayout(
  group: Group,
  rows: readonly ForwardRow[],
  width: number,
  names: number,
  now: number,
  glyphs: Glyphs,
): Layout<ForwardRow> {
  if (group === 'triggers') return triggerLayout(rows, width, names, now, glyphs);
  const columns = [
    nameColumn(names),
    ...middleColumns(group, width < 90, glyphs),
    ...rateColumns(width).map((column) => ({ ...column, head: column.id === 'rx' ? glyphs.rx : glyphs.tx })),
    ...tailColumns(width, glyphs),
  ];
  return layoutColumns(columns, rows, width);
}

/** One row of a panel: its columns, or from the target on the reason it is not up. */
export function forwardLine(
  group: Group,
  layout: Layout<ForwardRow>,
  row: ForwardRow,
  now: number,
  glyphs: Glyphs,
): Line {
  const reason = reasonOf(row.view, now, glyphs);
  const end = glyphs.ellipsis;
  if (reason === null) return rowLine(layout, row, end);
  const from = group === 'triggers' ? 'holder' : reasonStart(layout, reason.text);
  return rowLineWith(layout, row, from, [seg(reason.text, reason.role)], end);
}

/** A reason stands in place of the rates where it fits there, else it takes the target's place, or the host's. */
function reasonStart(layout: Layout<ForwardRow>, reason: string): string {
  const wanted = textWidth(reason);
  const has = (id: string) => layout.placed.some(({ column }) => column.id === id);
  const starts = ['rx', 'target', 'host', 'via', 'listen'].filter(has);
  return (
    starts.find((id) => roomFrom(layout, id) >= wanted) ?? (roomFrom(layout, 'target') >= 24 ? 'target' : 'listen')
  );
}

/** What a trigger waits for and opens: `tcp 6660-6669 → tcp 113`. */
function triggerRule({ config }: ForwardRow, glyphs: Glyphs): string {
  if (config.kind !== 'trigger') return '';
  const sets = (list: readonly { proto: string; ports: string }[]) =>
    list.map(({ proto, ports }) => `${proto} ${ports}`).join(', ');
  return `${sets(triggerSets(config.on))} ${glyphs.arrow} ${sets(config.open)}`;
}

function triggerLayout(
  rows: readonly ForwardRow[],
  width: number,
  names: number,
  now: number,
  glyphs: Glyphs,
): Layout<ForwardRow> {
  const narrow = width < 90;
  const columns: Column<ForwardRow>[] = [
    nameColumn(names),
    {
      id: 'rule',
      head: `ON ${glyphs.arrow} OPENS`,
      min: width < 45 ? 16 : 26,
      max: 40,
      keep: 92,
      grow: true,
      cell: (row) => text(row, triggerRule(row, glyphs)),
    },
    {
      id: 'holder',
      head: 'HELD BY',
      min: width < 45 ? 12 : narrow ? 25 : 30,
      max: 58,
      keep: 95,
      measure: holderText,
      cell: (row, cells) => holderCell(row, cells, glyphs, now),
    },
    { id: 'via', head: 'VIA', min: 8, max: 10, keep: 20, extra: true, cell: (row) => text(row, row.view.via) },
    ...rateColumns(width).map((column) => ({ ...column, head: column.id === 'rx' ? glyphs.rx : glyphs.tx })),
    ...tailColumns(width, glyphs).filter(({ id }) => id !== 'spark'),
  ];
  return layoutColumns(columns, rows, width);
}

/** Time left of an opening as a bar and in words. */
function holderCell(row: ForwardRow, cells: number, glyphs: Glyphs, now: number): Segment | Line {
  const opening = row.view.opened[0];
  if (opening === undefined) return seg(cells < 19 ? 'armed' : 'armed, nothing open', 'dim');
  const left = Date.parse(opening.expiresAt) - now;
  const idleMs = row.config.kind === 'trigger' ? parseDuration(row.config.idle) : 0;
  const words = `${formatSpan(left)} left`;
  // One of each address family may hold it.
  const others = new Set(row.view.opened.map(({ host }) => host)).size - 1;
  const more = others > 0 ? ` +${others}` : '';
  const barRoom = cells - textWidth(opening.host + more + words) - 2;
  // Where not even the holder fits beside it, how long it lasts is what matters.
  if (barRoom < 5) {
    const whole = `${opening.host}${more} ${words}`;
    return [seg(textWidth(whole) <= cells ? whole : cutText(words, cells, glyphs.ellipsis), 'accent')];
  }
  const inner = Math.min(12, barRoom - 2);
  const filled = idleMs <= 0 ? inner : Math.max(0, Math.min(inner, Math.round((left / idleMs) * inner)));
  return [
    seg(`${opening.host}${more} `),
    seg(glyphs.bar.open, 'dim'),
    seg(glyphs.bar.full.repeat(filled), left < 30_000 ? 'busy' : 'good'),
    seg(glyphs.bar.empty.repeat(inner - filled), 'dim'),
    seg(glyphs.bar.close, 'dim'),
    seg(` ${words}`),
  ];
}

const holderText = (row: ForwardRow) =>
  row.view.opened.length === 0 ? 'armed, nothing open' : `${row.view.opened[0]?.host} ${' '.repeat(15)} 59m 59s left`;

/** The glyph of a row's state, in its colour. */
export function stateMark(view: ForwardView, glyphs: Glyphs): Segment {
  return seg(glyphs.state(view.state), stateLooks[view.state].role);
}
