import { headLine } from '../../present/columns.ts';
import { eventColumns } from '../../present/events.ts';
import { forwardLayout, forwardLine, nameWidth, sortNames, stateMark } from '../../present/forwards.ts';
import { trafficGraph } from '../../present/graph.ts';
import { type Group, groups, groupTitles } from '../../present/kinds.ts';
import { fitLine, type Line, onBack, seg } from '../../present/line.ts';
import { centred, panel, panelBottom, panelRow, panelTop } from '../../present/panel.ts';
import { formatRate } from '../../present/quantity.ts';
import { markedForwards } from '../acted-on.ts';
import type { Scene } from '../scene.ts';
import { filterOf } from '../state.ts';
import { listLines } from './list.ts';
import { shareRows } from './share.ts';
import { windowOf } from './window.ts';

/** Below this the panels have no edges at their sides. */
const compactColumns = 60;

/** The body of the overview: exactly `height` lines, or fewer where there is nothing to show in them. */
export function overviewLines(scene: Scene, width: number, height: number): Line[] {
  if (scene.picture === null) return waiting(scene, width, height);
  if (scene.views.length === 0) return greeting(scene, width, height);
  const compact = width < compactColumns;
  const withRows = groups.filter((group) => scene.rows[group].length > 0);
  const filled = withRows.length > 0 ? withRows : groups.filter((group) => scene.counts[group] > 0).slice(0, 1);
  const empty = compact || height < 18 ? [] : groups.filter((group) => !filled.includes(group));
  const wanted = filled.map((group) => Math.max(1, scene.rows[group].length));
  const cursor = groupUnderCursor(scene) ?? filled[0] ?? 'tunnels';
  const rowCount = wanted.reduce((sum, rows) => sum + rows, 0);
  const scarce = rowCount + filled.length * 3 + empty.length + 5 > height;
  // Edges and heads; where rows are scarce only the panel with the cursor has heads.
  const chromeOf = (group: Group) => (compact ? 1 : scarce && group !== cursor ? 2 : 3);
  const chrome = filled.reduce((sum, group) => sum + chromeOf(group), 0);
  const graph = graphHeight(height, height - rowCount - chrome - empty.length, compact);
  const room = height - graph - empty.length - chrome;
  const heights = shareRows(wanted, room, Math.max(0, filled.indexOf(cursor)));
  const lines: Line[] = graph > 0 ? graphPanel(scene, width, graph) : [];
  for (const group of groups) {
    const at = filled.indexOf(group);
    if (at >= 0) lines.push(...groupPanel(scene, group, width, heights[at] ?? 0, chromeOf(group)));
    else if (empty.includes(group)) lines.push(emptyLine(scene, group, width));
  }
  const left = height - lines.length;
  if (left >= 6) lines.push(...recentEvents(scene, width, Math.min(left, 14)));
  return lines;
}

/** Rows of the traffic box, edges included; 0 for none. It takes what the panels leave, and always a little. */
function graphHeight(height: number, left: number, compact: boolean): number {
  if (compact || height < 14) return 0;
  const least = height >= 34 ? 8 : height >= 20 ? 5 : 4;
  return Math.max(least, Math.min(Math.floor(height / 3), left, 13));
}

function graphPanel(scene: Scene, width: number, height: number): Line[] {
  const { glyphs, samples } = scene;
  const lines = trafficGraph(samples.total(), { width: width - 4, height: height - 2 }, formatRate, glyphs);
  return panel(
    { left: `traffic ${glyphs.dot} 5 min` },
    lines.map((line) => [seg(' '), ...line]),
    width,
    glyphs,
  );
}

function groupUnderCursor({ rows, place }: Pick<Scene, 'rows' | 'place'>): Group | null {
  return groups.find((group) => rows[group].some(({ view }) => view.name === place?.id)) ?? null;
}

function groupPanel(scene: Scene, group: Group, width: number, height: number, chrome: number): Line[] {
  const compact = chrome === 1;
  const { glyphs, rows, place, ui, now, counts } = scene;
  const list = rows[group];
  const filter = filterOf(ui).text;
  const at = list.findIndex(({ view }) => view.name === place?.id);
  const focused = at >= 0;
  const inner = (compact ? width : width - 3) - 3;
  const names = nameWidth([...rows.tunnels, ...rows.mappings, ...rows.triggers], inner);
  const layout = forwardLayout(group, list, inner, names, now, glyphs);
  const { from, to } = windowOf(list.length, Math.max(0, at), height);
  const body: Line[] = [];
  if (list.length === 0) body.push([seg('   nothing here matches the filter', 'dim')]);
  for (const row of list.slice(from, to)) {
    const selected = row.view.name === place?.id;
    const marked = ui.marks.has(row.view.name);
    const line: Line = [
      seg(selected && !marked ? glyphs.cursor : marked ? glyphs.mark : ' ', marked ? 'ask' : 'accent'),
      stateMark(row.view, glyphs),
      seg(' '),
      ...forwardLine(group, layout, row, now, glyphs),
    ];
    body.push(selected ? onBack(compact ? line : fitLine(line, width - 2), 'select') : line);
  }
  const number = groups.indexOf(group) + 1;
  const total = list.length === counts[group] ? String(counts[group]) : `${list.length} of ${counts[group]}`;
  const title = `${number} ${groupTitles[group]} ${glyphs.dot} ${total}`;
  const more = list.length > height ? `${from + 1}-${to} of ${list.length}` : '';
  const notes = [
    focused && ui.sort !== 'config' ? `sort ${sortNames[ui.sort]}` : '',
    focused && filter !== '' ? `filter ${filter}` : '',
    focused ? markNote(scene) : '',
    more,
  ].filter((note) => note !== '');
  const right = notes.join(` ${glyphs.dot} `);
  if (compact) {
    const role = focused ? 'accent' : 'title';
    return [[seg(title, role, true), seg(right === '' ? '' : `  ${right}`, 'dim')], ...body];
  }
  return [
    panelTop({ left: title, right, focused }, width, glyphs),
    ...(chrome === 2
      ? []
      : [
          panelRow(
            [seg('   '), ...headLine(layout, ui.sort === 'config' ? undefined : ui.sort)],
            width,
            glyphs,
            focused,
          ),
        ]),
    ...body.map((line) => panelRow(line, width, glyphs, focused)),
    panelBottom(width, glyphs, focused),
  ];
}

/** `2 marked`; what acts on them acts also on those a filter hides. */
function markNote(scene: Scene): string {
  const marked = markedForwards(scene);
  const shown = new Set(scene.ids);
  const hidden = marked.filter((name) => !shown.has(name)).length;
  return marked.length === 0 ? '' : `${marked.length} marked${hidden === 0 ? '' : `, ${hidden} hidden`}`;
}

function emptyLine({ glyphs, counts }: Scene, group: Group, width: number): Line {
  const many = counts[group] > 0 ? `0 of ${counts[group]}` : 'none';
  const text = ` ${groups.indexOf(group) + 1} ${groupTitles[group]} ${glyphs.dot} ${many} `;
  return [
    seg(` ${glyphs.box.across}`, 'frame'),
    seg(text, 'dim'),
    seg(glyphs.box.across.repeat(Math.max(0, width - text.length - 3)), 'frame'),
  ];
}

/** What happened last, where the screen is tall enough to have room left. */
function recentEvents(scene: Scene, width: number, height: number): Line[] {
  const { glyphs, now, resources } = scene;
  const events = (resources.get({ what: 'events' }).value ?? []).filter(({ level }) => level !== 'debug');
  return listLines({
    title: { left: 'events', right: 'l for all' },
    columns: eventColumns(now),
    rows: events.slice(-(height - 3)),
    at: -1,
    width,
    height,
    glyphs,
    empty: 'nothing has happened yet',
  });
}

function waiting({ connection }: Scene, width: number, height: number): Line[] {
  const text =
    connection.is === 'gone'
      ? [seg('the engine cannot be reached: ', 'bad'), seg(connection.why)]
      : connection.is === 'stopped'
        ? [seg('the engine was stopped; R starts it', 'busy')]
        : [seg('connecting to the engine', 'dim')];
  return vertically(centred([text], width), height);
}

function vertically(lines: readonly Line[], height: number): Line[] {
  const above = Math.max(0, Math.floor((height - lines.length) / 2));
  return [...Array.from({ length: above }, (): Line => []), ...lines];
}

const openings: readonly { readonly key: string; readonly what: string; readonly example: string }[] = [
  { key: '1', what: 'a tunnel', example: 'a port here leads to a place behind an SSH host' },
  { key: '2', what: 'a NAT mapping', example: 'a port of this gateway leads to a machine inside' },
  { key: '3', what: 'a trigger', example: 'a call going out opens ports coming in, for a while' },
  { key: 'D', what: 'the demo', example: 'see all of it at work in a throw-away home' },
];

/** What somebody sees who has defined nothing yet. */
function greeting({ glyphs }: Scene, width: number, height: number): Line[] {
  const wide = width >= 76;
  const rows = openings.map(({ key, what, example }): Line => {
    const left: Line = [seg(key.padStart(5), 'key', true), seg(`  ${what.padEnd(15)}`, 'plain', true)];
    return wide ? [...left, seg(example.padEnd(54), 'dim')] : left;
  });
  const head: Line[] = [
    [seg('nothing is forwarded yet', 'title', true)],
    [],
    [seg(wide ? `press a key${glyphs.ascii ? ' -' : ' ·'} ? shows all of them` : 'press a key', 'dim')],
    [],
  ];
  return vertically(centred([...head, ...rows], width), height);
}
