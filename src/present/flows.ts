import type { Flow } from '../model/flow.ts';
import type { Column } from './columns.ts';
import { cutEndpoint } from './endpoint.ts';
import type { Glyphs } from './glyphs.ts';
import { seg } from './line.ts';
import { formatBytes, formatRate, formatShort, formatSpan } from './quantity.ts';

export interface TimedFlow extends Flow {
  readonly rxRate: number;
  readonly txRate: number;
}

/** `alice (ssh 4711)` of a local peer; of a remote one nothing is known. */
export function ownerOf({ user, pid }: Flow): string {
  if (user === null) return pid === null ? '' : `pid ${pid}`;
  return pid === null ? user : `${user} (${pid})`;
}

/** What a filter looks through. */
export const flowText = (flow: Flow) => `${flow.forward} ${flow.peer} ${ownerOf(flow)} ${flow.target}`;

/** Columns of a list of flows; with the forward where it is about more than one. */
export function flowColumns(width: number, now: number, withForward: boolean, glyphs: Glyphs): Column<TimedFlow>[] {
  const short = width < 100;
  const size = short ? 6 : 9;
  const rate = (value: number) => (short ? formatShort(value) : value === 0 ? '0' : formatRate(value));
  const forward: Column<TimedFlow> = {
    id: 'forward',
    head: 'FORWARD',
    min: 8,
    max: 20,
    keep: 75,
    cell: (flow) => seg(flow.forward, 'accent'),
  };
  return [
    ...(withForward ? [forward] : []),
    { id: 'peer', head: 'PEER', min: 15, max: 44, keep: 100, cell: ({ peer }) => peer },
    { id: 'owner', head: 'OWNER', min: 8, max: 20, keep: 50, cell: (flow) => seg(ownerOf(flow), 'dim') },
    {
      id: 'target',
      head: 'TARGET',
      min: 12,
      max: 36,
      keep: 40,
      grow: true,
      measure: ({ target }) => target,
      cell: ({ target }, cells) => cutEndpoint(target, cells, glyphs.ellipsis),
    },
    {
      id: 'age',
      head: 'AGE',
      align: 'right',
      min: 7,
      max: 7,
      keep: 60,
      cell: ({ since }) => seg(formatSpan(now - Date.parse(since)), 'dim'),
    },
    {
      id: 'rxBytes',
      head: 'RECEIVED',
      align: 'right',
      min: 8,
      max: 8,
      keep: 35,
      cell: ({ rx }) => formatBytes(rx),
    },
    { id: 'txBytes', head: 'SENT', align: 'right', min: 8, max: 8, keep: 34, cell: ({ tx }) => formatBytes(tx) },
    {
      id: 'rx',
      head: glyphs.rx,
      align: 'right',
      min: size,
      max: size,
      keep: 90,
      cell: ({ rxRate }) => seg(rate(rxRate), rxRate > 0 ? 'rx' : 'dim'),
    },
    {
      id: 'tx',
      head: glyphs.tx,
      align: 'right',
      min: size,
      max: size,
      keep: 80,
      cell: ({ txRate }) => seg(rate(txRate), txRate > 0 ? 'tx' : 'dim'),
    },
  ];
}
