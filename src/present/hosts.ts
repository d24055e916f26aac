import type { ForwardView, LinkEntry, Snapshot } from '../model/snapshot.ts';
import type { ForwardState, LinkStatus } from '../model/state.ts';
import type { Column } from './columns.ts';
import type { Glyphs } from './glyphs.ts';
import { type Line, seg } from './line.ts';
import { formatSpan } from './quantity.ts';
import { nextTry } from './reason.ts';
import { stateLooks } from './states.ts';

export interface HostRow {
  readonly id: string;
  readonly link: LinkEntry;
  readonly forwards: readonly string[];
}

/** A link's status in the words of a forward's states. */
export function linkLook(status: LinkStatus): ForwardState {
  return status.is === 'idle' ? 'off' : status.is === 'connecting' ? 'starting' : status.is;
}

export function hostRows(snapshot: Snapshot, views: readonly ForwardView[]): HostRow[] {
  return Object.entries(snapshot.links).map(([id, link]) => ({
    id,
    link,
    forwards: views.filter(({ name }) => snapshot.forwards[name]?.link === id).map(({ name }) => name),
  }));
}

/** Round trips in milliseconds: `0.4 ms`, `12 ms`. */
const formatRoundTrip = (ms: number) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** The same three facts whichever way a link stands: address, cipher, round trip; or why there are none. */
function statusText({ status }: LinkEntry, now: number): string {
  switch (status.is) {
    case 'idle':
      return 'nobody needs it';
    case 'connecting':
      return 'connecting';
    case 'up':
      return '';
    case 'waiting':
      return status.error.message;
    case 'retrying':
      return `${nextTry(status.nextTry, now)}: ${status.error.message}`;
    case 'failed':
      return status.error.message;
  }
}

const up = (link: LinkEntry) => (link.status.is === 'up' ? link.status : null);

/** What a filter looks through. */
export const hostText = ({ link, forwards }: HostRow) =>
  `${link.spec.dest} ${link.spec.carrier} ${up(link)?.address ?? ''} ${stateLooks[linkLook(link.status)].word} ${forwards.join(' ')}`;

export function hostColumns(now: number): Column<HostRow>[] {
  return [
    { id: 'dest', head: 'HOST', min: 10, max: 30, keep: 100, cell: ({ link }) => seg(link.spec.dest, 'plain', true) },
    { id: 'carrier', head: 'CARRIER', min: 7, max: 7, keep: 70, cell: ({ link }) => link.spec.carrier },
    {
      id: 'address',
      head: 'ADDRESS',
      min: 14,
      max: 28,
      keep: 60,
      cell: ({ link }) => up(link)?.address ?? '',
    },
    {
      id: 'cipher',
      head: 'CIPHER',
      min: 10,
      max: 26,
      keep: 40,
      cell: ({ link }) => seg(up(link)?.cipher ?? '', 'dim'),
    },
    {
      id: 'rtt',
      head: 'RTT',
      align: 'right',
      min: 7,
      max: 7,
      keep: 80,
      cell: ({ link }) => {
        const rtt = up(link)?.rttMs ?? null;
        return rtt === null ? '' : formatRoundTrip(rtt);
      },
    },
    {
      id: 'since',
      head: 'UP FOR',
      align: 'right',
      min: 7,
      max: 7,
      keep: 50,
      cell: ({ link }) => {
        const since = up(link)?.since;
        return seg(since === undefined ? '' : formatSpan(now - Date.parse(since)), 'dim');
      },
    },
    {
      id: 'forwards',
      head: 'FORWARDS',
      min: 8,
      max: 60,
      keep: 45,
      cell: ({ forwards }) => seg(forwards.join(' '), 'dim'),
    },
  ];
}

/** What a host that is not up says in place of its facts; null for one that is. */
export function hostReason({ link }: HostRow, now: number): Line | null {
  return link.status.is === 'up' ? null : [seg(statusText(link, now), stateLooks[linkLook(link.status)].role)];
}

/** More about one host, for below the list. */
export function hostDetails({ link, forwards }: HostRow, glyphs: Glyphs): [string, string][] {
  const status = up(link);
  return [
    ['carrier', `${link.spec.carrier}: ${link.spec.why}`],
    ...(link.spec.via === null ? [] : ([['over', link.spec.via]] as [string, string][])),
    ...(status === null
      ? []
      : ([
          ['server', status.serverVersion],
          ['key exchange', status.kex],
        ] as [string, string][])),
    ['forwards', forwards.length === 0 ? 'none' : forwards.join(` ${glyphs.dot} `)],
  ];
}
