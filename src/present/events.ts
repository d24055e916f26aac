import type { EngineEvent, EventLevel } from '../model/event.ts';
import type { Column } from './columns.ts';
import { seg } from './line.ts';
import { formatMoment } from './quantity.ts';
import type { ColourRole } from './states.ts';

const looks: Readonly<Record<EventLevel, { role: ColourRole; word: string }>> = {
  debug: { role: 'dim', word: 'debug' },
  info: { role: 'plain', word: 'info' },
  warn: { role: 'busy', word: 'warn' },
  error: { role: 'bad', word: 'error' },
};

/** What a row of a list of events says. */
export type TimedText = Pick<EngineEvent, 'at' | 'level' | 'forward' | 'message'>;

const said = ({ message, level }: TimedText) => seg(message, looks[level].role);

/** What there may be more of than a row has room for. */
export const wholeEvent = { column: 'message', text: said };

/** What a filter looks through. */
export const eventText = ({ level, forward, message }: TimedText) => `${level} ${forward ?? ''} ${message}`;

export function eventColumns(now: number): Column<TimedText>[] {
  return [
    {
      id: 'at',
      head: 'WHEN',
      min: 8,
      max: 12,
      keep: 80,
      cell: ({ at }) => seg(formatMoment(new Date(at), new Date(now)), 'dim'),
    },
    {
      id: 'level',
      head: 'LEVEL',
      min: 5,
      max: 5,
      keep: 50,
      cell: ({ level }) => seg(looks[level].word, looks[level].role),
    },
    { id: 'forward', head: 'FORWARD', min: 8, max: 20, keep: 70, cell: ({ forward }) => seg(forward ?? '', 'accent') },
    {
      id: 'message',
      head: 'WHAT',
      min: 16,
      max: 400,
      keep: 100,
      cell: said,
    },
  ];
}
