import type { ForwardView } from '../model/snapshot.ts';
import { type ForwardState, forwardStates } from '../model/state.ts';
import type { Glyphs } from './glyphs.ts';
import { type Line, lineWidth, type Segment, seg, spread } from './line.ts';
import { formatRate, formatShort } from './quantity.ts';
import { stateLooks } from './states.ts';

export interface HeaderFacts {
  readonly hostname: string;
  readonly views: readonly ForwardView[];
  readonly startedAt: string;
  readonly now: number;
  readonly paused: boolean;
  /** Standing remarks about the machine or the engine; the audit view has them. */
  readonly warnings: number;
  /** What the engine is doing when it is not simply there; one that was stopped is not waited for. */
  readonly engine: 'connected' | 'gone' | 'stopped' | 'connecting';
}

/** How long the engine has run, in whole hours: a clock that ticked would never let the terminal rest. */
export function engineAge(startedAt: string, now: number): string {
  const hours = Math.floor((now - Date.parse(startedAt)) / 3_600_000);
  if (!(hours >= 1)) return '<1h';
  return hours < 24 ? `${hours}h` : `${Math.floor(hours / 24)}d ${String(hours % 24).padStart(2, '0')}h`;
}

const shownStates: readonly ForwardState[] = ['up', 'starting', 'degraded', 'retrying', 'failed', 'waiting'];

/** The first line: who this is, what moves, how things stand, what needs a person. */
export function headerLine(facts: HeaderFacts, width: number, glyphs: Glyphs): Line {
  const { views } = facts;
  const rx = views.reduce((sum, view) => sum + view.rxRate, 0);
  const tx = views.reduce((sum, view) => sum + view.txRate, 0);
  const tally = new Map<ForwardState, number>(forwardStates.map((state) => [state, 0]));
  for (const { state } of views) tally.set(state, (tally.get(state) ?? 0) + 1);
  const roomy = width >= 76;
  const rate = roomy ? formatRate : formatShort;
  const health = (worded: boolean): Segment[] =>
    shownStates.flatMap((state) => {
      const n = tally.get(state) ?? 0;
      if (n === 0 && !(state === 'up' && views.length > 0)) return [];
      const { role, word } = stateLooks[state];
      const words = state === 'waiting' && n > 1 ? 'need you' : word;
      const text = `${glyphs.state(state)} ${n}${worded ? ` ${words}` : ''}`;
      return [seg(`${text}${roomy ? '  ' : ' '}`, role, state === 'waiting')];
    });
  const rates: Segment[] = [
    seg(`${glyphs.rx} ${rate(rx)}`, rx > 0 ? 'rx' : 'dim'),
    seg(roomy ? '  ' : ' '),
    seg(`${glyphs.tx} ${rate(tx)}`, tx > 0 ? 'tx' : 'dim'),
  ];
  const engine =
    facts.engine === 'gone'
      ? seg(roomy ? 'engine gone, waiting ' : 'engine gone ', 'bad', true)
      : facts.engine === 'stopped'
        ? seg(width >= 100 ? 'engine stopped, R starts it ' : 'stopped, R starts ', 'bad', true)
        : facts.engine === 'connecting'
          ? seg('connecting ', 'busy')
          : facts.paused
            ? seg('paused ', 'ask', true)
            : seg(`engine ${engineAge(facts.startedAt, facts.now)} `, 'dim');
  const parts = (named: boolean, worded: boolean, titled = true): Line => [
    seg(titled ? ' sallyport' : '', 'title', true),
    ...(named ? [seg(`  ${facts.hostname}`, 'accent')] : []),
    seg(roomy ? '   ' : ' '),
    ...rates,
    seg(roomy ? '   ' : '  '),
    ...health(worded),
    ...(facts.warnings === 0
      ? []
      : [seg(`! ${facts.warnings}${worded ? ` ${facts.warnings === 1 ? 'warning' : 'warnings'}` : ''}  `, 'busy')]),
  ];
  const notable = facts.engine !== 'connected' || facts.paused;
  // What gives way, in this order: this machine's name, the states' words, the engine's age, the program's name.
  const tries: readonly (readonly [Line, Line])[] = [
    [parts(true, true), [engine]],
    [parts(false, true), [engine]],
    [parts(true, false), [engine]],
    [parts(false, false), [engine]],
    [parts(false, false), notable ? [engine] : []],
    [parts(false, false, false), notable ? [engine] : []],
  ];
  const [left, right] =
    tries.find(([a, b]) => lineWidth(a) + lineWidth(b) <= width) ?? (tries.at(-1) as (typeof tries)[0]);
  return spread(left, right, width);
}
