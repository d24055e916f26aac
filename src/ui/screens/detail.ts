import { historyRanges } from '../../model/reports.ts';
import type { ForwardEntry, ForwardView } from '../../model/snapshot.ts';
import { unusualMarkMs } from '../../model/unusual.ts';
import { dayColumns } from '../../present/days.ts';
import { detailText } from '../../present/detail-text.ts';
import { eventColumns, wholeEvent } from '../../present/events.ts';
import { flowColumns } from '../../present/flows.ts';
import { trafficGraph } from '../../present/graph.ts';
import { kindNames } from '../../present/kinds.ts';
import { type Line, lineWidth, seg, spread, wrapText } from '../../present/line.ts';
import { type PanelTitle, panel } from '../../present/panel.ts';
import { pathOf } from '../../present/path.ts';
import { formatBytes, formatRate, formatSpan } from '../../present/quantity.ts';
import { nextTry, timeLeft } from '../../present/reason.ts';
import { stateLooks } from '../../present/states.ts';
import { eventsOf, flowsOf, type Scene } from '../scene.ts';
import { detailSections } from '../state.ts';
import { listLines } from './list.ts';
import { windowOf } from './window.ts';

/** One forward, all there is to know. */
export function detailLines(scene: Scene, width: number, height: number): Line[] {
  const { forward: view, picture, ui } = scene;
  const entry = view === null ? undefined : picture?.snapshot.forwards[view.name];
  if (view === null || entry === undefined) {
    const name = ui.view.is === 'detail' ? ui.view.forward : '';
    return [[seg(` ${name} is not there any more; esc goes back`, 'busy')]];
  }
  const lines: Line[] = [titleLine(scene, view, width)];
  const trouble = troubleLines(scene, view, width);
  lines.push(...trouble);
  const path = pathLines(scene, entry, view, width);
  const left = height - lines.length;
  const graph = left < 14 ? 0 : Math.max(5, Math.min(16, Math.floor(left * 0.36)));
  if (graph > 0) lines.push(...graphPanel(scene, view, width, graph));
  if (left >= 10) lines.push(...path);
  const rest = height - lines.length;
  const eventsBelow = rest >= 18 && ui.section !== 'events' ? Math.min(10, Math.floor(rest / 2.6)) : 0;
  lines.push(...sectionLines(scene, entry, width, rest - eventsBelow));
  if (eventsBelow > 0) lines.push(...eventList(scene, view, width, eventsBelow, { left: 'events' }));
  return lines;
}

function titleLine({ glyphs, now, picture }: Scene, view: ForwardView, width: number): Line {
  const until = picture?.snapshot.forwards[view.name]?.config.until;
  const ends = until === undefined || view.desired === 'down' ? '' : `, ${timeLeft(until, now)}`;
  const { role, word } = stateLooks[view.state];
  const since = view.since === null ? '' : ` for ${formatSpan(now - Date.parse(view.since))}`;
  const dot = ` ${glyphs.dot} `;
  const left: Line = [
    seg(` ${glyphs.state(view.state)} `, role),
    seg(view.name, 'title', true),
    seg(`${dot}${kindNames[view.kind]}${dot}`, 'dim'),
    seg(word, role, true),
    seg(`${since}${ends}${dot}session ${view.session}${view.note === '' ? '' : `${dot}${view.note}`}`, 'dim'),
  ];
  const right: Line = [
    seg(`  ${glyphs.rx} ${formatRate(view.rxRate)}`, view.rxRate > 0 ? 'rx' : 'dim'),
    seg('  '),
    seg(`${glyphs.tx} ${formatRate(view.txRate)} `, view.txRate > 0 ? 'tx' : 'dim'),
  ];
  return spread(left, width >= 70 ? right : [], width, glyphs.ellipsis);
}

/** What is wrong and what to do about it. */
function troubleLines({ glyphs, now, picture }: Scene, view: ForwardView, width: number): Line[] {
  const { lastError: last = null, unusual } = picture?.snapshot.forwards[view.name] ?? {};
  const { error } = view;
  const { role } = stateLooks[view.state];
  if (error === null) {
    const sinceMs = unusual === undefined ? Number.POSITIVE_INFINITY : now - Date.parse(unusual.at);
    if (unusual !== undefined && sinceMs < unusualMarkMs) {
      return [[seg(` ! ${formatSpan(sinceMs)} ago: ${unusual.message}`, 'busy')]];
    }
    if (last === null || width < 60) return [];
    const ago = formatSpan(now - Date.parse(last.at));
    return [[seg(` last trouble ${ago} ago: ${last.failure.message}`, 'dim')]];
  }
  const when = view.state === 'retrying' ? `${nextTry(view.nextTry, now)} ${glyphs.dot} ` : '';
  const lines: Line[] = wrapText(`${when}${error.message} (${error.code})`, width - 4)
    .slice(0, 3)
    .map((text) => [seg(` ${glyphs.box.down} `, role), seg(text, role)]);
  if (error.hint !== '') {
    const [first = '', second] = wrapText(`${glyphs.arrow} ${error.hint}`, width - 4);
    lines.push([seg(` ${glyphs.box.down} `, role), seg(first)]);
    if (second !== undefined) lines.push([seg(` ${glyphs.box.down} `, role), seg(`  ${second}`)]);
  }
  return lines;
}

function graphPanel(scene: Scene, view: ForwardView, width: number, height: number): Line[] {
  const { glyphs, resources, ui } = scene;
  const { value, error } = resources.get({ what: 'history', forward: view.name, range: ui.range });
  const series = value ?? { stepMs: 1000, end: '', rx: [], tx: [] };
  const total = (values: readonly number[]) => (values.reduce((sum, rate) => sum + rate, 0) * series.stepMs) / 1000;
  const peak = Math.max(0, ...series.rx, ...series.tx);
  const summary =
    error ??
    `peak ${formatRate(peak)} ${glyphs.dot} ${glyphs.rx} ${formatBytes(total(series.rx))} ${glyphs.tx} ${formatBytes(total(series.tx))}`;
  const ranges = historyRanges.map((range) => (range === ui.range ? `[${range}]` : range)).join(' ');
  const lines = trafficGraph(series, { width: width - 4, height: height - 2 }, formatRate, glyphs);
  return panel(
    { left: `traffic ${ranges}`, right: summary },
    lines.map((line) => [seg(' '), ...line]),
    width,
    glyphs,
  );
}

/** The way through it as a chain, or below each other where that does not fit. */
function pathLines({ glyphs, picture }: Scene, entry: ForwardEntry, view: ForwardView, width: number): Line[] {
  const parts = pathOf(entry, view, picture?.snapshot.links ?? {});
  const piece = ({ what, name, state }: (typeof parts)[number], words: boolean): Line => [
    seg(`${glyphs.state(state)} `, stateLooks[state].role),
    ...(words ? [seg(`${what} `, 'dim')] : []),
    seg(name, state === 'failed' ? 'bad' : 'plain', true),
    ...(state === 'up' || state === 'off' ? [] : [seg(` ${stateLooks[state].word}`, stateLooks[state].role)]),
  ];
  const arrow = glyphs.ascii ? ' --> ' : ' ──→ ';
  for (const words of [true, false]) {
    const chain: Line = parts.flatMap((part, i) => [...(i === 0 ? [] : [seg(arrow, 'frame')]), ...piece(part, words)]);
    if (lineWidth(chain) <= width - 4) return panel({ left: 'path' }, [[seg(' '), ...chain]], width, glyphs);
  }
  return panel(
    { left: 'path' },
    parts.map((part, i) => [
      seg(i === 0 ? ' ' : ` ${'  '.repeat(i - 1)}${glyphs.ascii ? '`-' : '└ '}`, 'frame'),
      ...piece(part, width >= 56),
    ]),
    width,
    glyphs,
  );
}

function sectionLines(scene: Scene, entry: ForwardEntry, width: number, height: number): Line[] {
  const { glyphs, ui, now, resources, place, forward } = scene;
  const tabs = detailSections.map((name) => (name === ui.section ? `[${name}]` : name)).join(' ');
  const title = { left: tabs, focused: true };
  switch (ui.section) {
    case 'flows': {
      const rows = flowsOf(scene);
      const { error } = resources.get({ what: 'flows', forward: entry.config.name });
      return listLines({
        title: { ...title, right: `${rows.length} ${glyphs.dot} sort ${ui.flowSort}` },
        columns: flowColumns(width, now, false, glyphs),
        rows,
        at: place?.index ?? -1,
        width,
        height,
        glyphs,
        empty: error ?? 'no flow at the moment',
      });
    }
    case 'events':
      return forward === null ? [] : eventList(scene, forward, width, height, title, place?.index ?? -1);
    case 'days': {
      const { value, error } = resources.get({ what: 'days', forward: entry.config.name });
      const rows = [...(value ?? [])].reverse();
      return listLines({
        title,
        columns: dayColumns(rows, glyphs),
        rows,
        at: place?.index ?? -1,
        width,
        height,
        glyphs,
        empty: error ?? 'nothing has been carried yet',
      });
    }
    case 'config':
    case 'command':
      return textPanel(
        ui.section === 'command' ? { ...title, right: 'y copies' } : title,
        detailText(ui.section, entry.config, width - 4),
        width,
        height,
        scene,
      );
  }
}

/** Text that scrolls where it does not fit; only then there is a cursor in it. */
function textPanel(
  title: PanelTitle,
  lines: readonly Line[],
  width: number,
  height: number,
  { glyphs, place }: Scene,
): Line[] {
  const inside = Math.max(0, height - 2);
  const at = lines.length > inside ? (place?.index ?? 0) : -1;
  const { from, to } = windowOf(lines.length, at, inside);
  const shown = lines
    .slice(from, to)
    .map((line, i): Line => [from + i === at ? seg(glyphs.cursor, 'accent') : seg(' '), ...line]);
  while (shown.length < inside) shown.push([]);
  const range = at < 0 ? '' : `${from + 1}-${to} of ${lines.length}`;
  const right = [title.right ?? '', range].filter((text) => text !== '').join(` ${glyphs.dot} `);
  return panel({ ...title, right, focused: true }, shown, width, glyphs);
}

function eventList(scene: Scene, view: ForwardView, width: number, height: number, title: PanelTitle, at = -1): Line[] {
  const { now, glyphs } = scene;
  const events = eventsOf(scene, view.name);
  return listLines({
    title,
    columns: eventColumns(now).filter(({ id }) => id !== 'forward'),
    unfold: wholeEvent,
    rows: at < 0 ? events.slice(-Math.max(0, height - 3)) : events,
    at,
    width,
    height,
    glyphs,
    // A trigger's are the calls, not its coming and going.
    empty: view.kind === 'trigger' ? 'nobody has called yet' : 'nothing has happened yet',
  });
}
