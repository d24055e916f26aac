import type { ForwardView } from '../model/snapshot.ts';
import { formatBytes, formatRate, formatSpan } from '../present/quantity.ts';
import { safeText } from '../present/sanitize.ts';
import { stateLooks } from '../present/states.ts';
import { type Column, renderTable } from '../present/table.ts';
import { type Context, tableWidth } from './context.ts';
import { exitCodes } from './exit.ts';
import { reportFailure } from './failure.ts';
import type { Paint } from './paint.ts';

const columns: readonly Column[] = [
  { title: 'NAME', min: 12 },
  { title: 'STATE' },
  { title: 'KIND', drop: 4 },
  { title: 'LISTEN', min: 14 },
  { title: 'HOST', min: 8, drop: 5, optional: true },
  { title: 'TARGET', min: 10, drop: 3, optional: true },
  { title: '▼', align: 'right', drop: 1 },
  { title: '▲', align: 'right', drop: 1 },
  { title: 'FLOWS', align: 'right', drop: 2 },
  { title: 'REASON', min: 16, optional: true },
];

/** The forwards as `ls` shows them to people. */
export function viewTable(views: readonly ForwardView[], width: number | null, paint: Paint, now: Date): string[] {
  const rows = views.map((view) => {
    const { glyph, word } = stateLooks[view.state];
    return [
      view.name,
      `${glyph} ${word}`,
      view.kind,
      view.listen,
      view.host ?? view.via,
      view.target ?? (view.kind === 'dynamic' || view.kind === 'remote' ? 'any' : ''),
      view.flows > 0 || view.rxRate > 0 ? formatRate(view.rxRate) : formatBytes(view.rx),
      view.flows > 0 || view.txRate > 0 ? formatRate(view.txRate) : formatBytes(view.tx),
      String(view.flows),
      reasonOf(view, now),
    ];
  });
  return renderTable(columns, rows, {
    width,
    paint: (text, row, column) => {
      const view = views[row];
      if (view === undefined) return text;
      if (column === 1 || column === 9) return paint(stateLooks[view.state].role, text);
      return view.state === 'off' ? paint('dim', text) : text;
    },
  });
}

/** Why a forward is as it is, or what it has open; empty where there is nothing to say. */
export function reasonOf(view: ForwardView, now: Date): string {
  const parts: string[] = [];
  if (view.nextTry !== null) parts.push(`retry in ${formatSpan(Date.parse(view.nextTry) - now.getTime())}`);
  if (view.error !== null) parts.push(view.error.message);
  return [parts.join(': '), triggerWords(view, now)].filter((part) => part !== '').join('; ');
}

/** `armed`, or for whom a trigger is open and how long; empty for what is no trigger, or is not up. */
function triggerWords({ kind, state, opened }: ForwardView, now: Date): string {
  if (kind !== 'trigger') return '';
  const ends = new Map(opened.map(({ host, expiresAt }) => [host, Date.parse(expiresAt)]));
  if (ends.size === 0) return state === 'up' ? 'armed' : '';
  return [...ends].map(([host, end]) => `open for ${host}, ${formatSpan(end - now.getTime())} left`).join('; ');
}

/** One line for a forward: glyph, name, word, listener. */
function viewLine(view: ForwardView, paint: Paint): string {
  const { glyph, word, role } = stateLooks[view.state];
  return `${paint(role, glyph)} ${view.name}  ${paint(role, word)}  ${safeText(view.listen)}`;
}

/**
 * Shows forwards after a command has changed them.
 * @param mustBeUp whether one that is not up makes the command exit 4, with the reason on standard error
 */
export function showChanged(context: Context, views: readonly ForwardView[], json: boolean, mustBeUp: boolean): void {
  const { out, paint } = context;
  if (json) out.json(views);
  else for (const view of views) out.print(viewLine(view, paint));
  if (!mustBeUp) return;
  // Up, with something a person should know: it goes to standard error and changes no exit code.
  for (const { name, state, error } of json ? [] : views) {
    if (state === 'up' && error !== null)
      reportFailure(out, { ...error, message: `${name} is up, but ${error.message}` }, false);
  }
  const failed = views.filter((view) => view.state !== 'up');
  for (const view of json ? failed.slice(0, 1) : failed) {
    const reason = view.error ?? {
      code: 'host_timeout',
      message: 'still on its way',
      hint: `sallyport show ${view.name}`,
    };
    reportFailure(out, { ...reason, message: `${view.name} ${stateLooks[view.state].word}: ${reason.message}` }, json);
  }
  if (failed.length > 0) context.exitCode = exitCodes.notUp;
}

export function printTable(context: Context, columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  for (const line of renderTable(columns, rows, { width: tableWidth(context) })) context.out.print(line);
}
