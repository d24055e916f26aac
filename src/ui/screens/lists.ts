// The views that are one list: flows, events, hosts, audit, router and devices, sessions.
import type { AuditRow } from '../../model/reports.ts';
import { auditColumns, firewallClause } from '../../present/audit.ts';
import { dayColumns } from '../../present/days.ts';
import { eventColumns, wholeEvent } from '../../present/events.ts';
import { flowColumns } from '../../present/flows.ts';
import { hostColumns, hostDetails, hostReason, linkLook } from '../../present/hosts.ts';
import { type Line, seg, wrapText } from '../../present/line.ts';
import { deviceColumns, routerColumns, routerSummary } from '../../present/network.ts';
import { type PanelTitle, panel } from '../../present/panel.ts';
import { count } from '../../present/quantity.ts';
import { sessionColumns, sessionRows } from '../../present/sessions.ts';
import { type ColourRole, stateLooks } from '../../present/states.ts';
import { flowsOf, type Scene, shownAudit, shownEvents, shownHosts } from '../scene.ts';
import { filterOf } from '../state.ts';
import { listLines } from './list.ts';
import { shareRows } from './share.ts';

/** What a list is and how much is in it; at the right what shapes it. */
function listTitle(scene: Scene, what: string, many: string | undefined, ...notes: readonly string[]): PanelTitle {
  const { text } = filterOf(scene.ui);
  const dot = ` ${scene.glyphs.dot} `;
  const right = [...notes, text === '' ? '' : `filter ${text}`].filter((note) => note !== '').join(dot);
  return { left: many === undefined ? what : `${what}${dot}${many}`, right, focused: true };
}

const shownOf = (shown: number, all = shown) => (shown === all ? String(all) : `${shown} of ${all}`);

const emptyText = ({ ui }: Scene, text: string) =>
  filterOf(ui).text === '' ? text : 'nothing here matches the filter';

export function flowsLines(scene: Scene, width: number, height: number): Line[] {
  const rows = flowsOf(scene);
  const { value, error } = scene.resources.get({ what: 'flows', forward: null });
  return listLines({
    title: listTitle(scene, 'flows', shownOf(rows.length, value?.length), `sort ${scene.ui.flowSort}`),
    columns: flowColumns(width, scene.now, true, scene.glyphs),
    rows,
    at: scene.place?.index ?? -1,
    width,
    height,
    glyphs: scene.glyphs,
    empty: error ?? emptyText(scene, 'nothing flows at the moment'),
  });
}

export function eventsLines(scene: Scene, width: number, height: number): Line[] {
  const { ui, glyphs, resources } = scene;
  const rows = shownEvents(scene);
  const notes = [
    `from ${ui.eventLevel} on`,
    ui.eventForward === null ? '' : `only ${ui.eventForward}`,
    ui.follow ? 'following' : '',
  ].filter((note) => note !== '');
  return listLines({
    title: listTitle(scene, 'events', String(rows.length), ...notes),
    columns: eventColumns(scene.now),
    unfold: wholeEvent,
    rows,
    at: scene.place?.index ?? -1,
    width,
    height,
    glyphs,
    empty: resources.get({ what: 'events' }).error ?? emptyText(scene, 'nothing has happened yet'),
  });
}

export function hostsLines(scene: Scene, width: number, height: number): Line[] {
  const { picture, glyphs, now, place } = scene;
  if (picture === null) return [];
  const rows = shownHosts(scene);
  const selected = rows[place?.index ?? -1];
  const details = selected === undefined ? [] : hostDetails(selected, glyphs);
  const below = height >= 14 && selected !== undefined ? details.length + 2 : 0;
  const lines = listLines({
    title: listTitle(scene, 'hosts', shownOf(rows.length, Object.keys(picture.snapshot.links).length)),
    columns: hostColumns(now),
    rows,
    at: place?.index ?? -1,
    width,
    height: height - below,
    glyphs,
    empty: emptyText(scene, 'no forward goes over SSH yet'),
    mark: ({ link }) => {
      const state = linkLook(link.status);
      return seg(glyphs.state(state), stateLooks[state].role);
    },
    instead: (row) => {
      const line = hostReason(row, now);
      return line === null ? null : { from: 'address', line };
    },
  });
  if (below === 0 || selected === undefined) return lines;
  const detail = details.map(([key, value]): Line => [seg(` ${key.padEnd(14)}`, 'dim'), seg(value)]);
  return [...lines, ...panel({ left: selected.link.spec.dest }, detail, width, glyphs)];
}

/** Standing remarks about the machine, the worst first, each with what to do. */
function warningLines({ picture, glyphs }: Scene, width: number): Line[] {
  const order = { high: 0, medium: 1, low: 2 } as const;
  const warnings = [...(picture?.snapshot.warnings ?? [])].sort((a, b) => order[a.level] - order[b.level]);
  if (warnings.length === 0) return [];
  const lines = warnings.slice(0, 4).flatMap(({ level, message, hint }): Line[] => {
    const text = hint === '' ? message : `${message} ${glyphs.arrow} ${hint}`;
    return wrapText(text, width - 12)
      .slice(0, 2)
      .map((part, i) => [seg(` ${(i === 0 ? level : '').padEnd(8)}`, level === 'high' ? 'bad' : 'busy'), seg(part)]);
  });
  return panel({ left: `warnings ${glyphs.dot} ${warnings.length}` }, lines, width, glyphs);
}

export function auditLines(scene: Scene, width: number, height: number): Line[] {
  const warnings = height >= 16 ? warningLines(scene, width) : [];
  return [...warnings, ...portLines(scene, width, height - warnings.length)];
}

const findingText = ({ finding }: AuditRow) => (finding === null ? null : `${finding.message} (${finding.code})`);

function portLines(scene: Scene, width: number, height: number): Line[] {
  const { value, error } = scene.resources.get({ what: 'audit' });
  const rows = shownAudit(scene);
  const found = rows.filter(({ finding }) => finding !== null).length;
  const selected = rows[scene.place?.index ?? -1];
  const said = selected === undefined || value === null ? [] : [findingText(selected), firewallClause(selected, value)];
  const details = said.flatMap((text) => (text === null ? [] : wrapText(text, width - 4)));
  const below = height >= 12 && details.length > 0 ? details.length + 2 : 0;
  const lines = listLines({
    title: listTitle(
      scene,
      'audit',
      value === null
        ? undefined
        : `${shownOf(rows.length, value.rows.length)} open ${value.rows.length === 1 ? 'port' : 'ports'}`,
      value === null ? '' : found === 0 ? 'nothing to worry about' : count(found, 'finding'),
    ),
    columns: auditColumns,
    rows,
    at: scene.place?.index ?? -1,
    width,
    height: height - below,
    glyphs: scene.glyphs,
    empty: error ?? (value === null ? 'looking' : emptyText(scene, 'no port is open')),
  });
  if (below === 0 || selected === undefined) return lines;
  const text = details.map((part): Line => [seg(` ${part}`)]);
  const title = `${selected.proto}/${selected.port} ${scene.glyphs.dot} decided by ${selected.layer}`;
  return [...lines, ...panel({ left: title }, text, width, scene.glyphs)];
}

export function daysLines(scene: Scene, width: number, height: number): Line[] {
  const { glyphs, place, resources } = scene;
  const { value, error } = resources.get({ what: 'days', forward: null });
  const rows = [...(value ?? [])].reverse();
  return listLines({
    title: { left: `traffic of each day ${glyphs.dot} ${rows.length}`, focused: true },
    columns: dayColumns(rows, glyphs),
    rows,
    at: place?.index ?? -1,
    width,
    height,
    glyphs,
    empty: error ?? 'nothing has been carried yet',
  });
}

export function networkLines(scene: Scene, width: number, height: number): Line[] {
  const { glyphs, place, resources } = scene;
  const router = resources.get({ what: 'router' });
  const devices = resources.get({ what: 'devices' });
  const mappings = router.value?.mappings ?? [];
  const seen = devices.value ?? [];
  const at = place?.index ?? -1;
  const summary = router.value === null ? (router.error ?? 'asking the router') : routerSummary(router.value);
  const warning = router.value?.warning ?? '';
  const role = router.error === null ? 'plain' : 'bad';
  const told = (text: string, as: ColourRole) => wrapText(text, width - 1).map((line): Line => [seg(` ${line}`, as)]);
  // A low screen has its rows for the lists.
  const head: readonly Line[] =
    height < 14
      ? [[seg(` ${summary}`, role), seg(`  ${warning}`, 'busy')]]
      : [...told(summary, role), ...(warning === '' ? [] : told(warning, 'busy'))];
  const [routerRows = 0, deviceRows = 0] = shareRows(
    [Math.max(1, mappings.length), Math.max(1, seen.length)],
    height - 6 - head.length,
    at < mappings.length ? 0 : 1,
  );
  return [
    ...head,
    ...listLines({
      title: {
        left: router.value === null ? 'router' : `router ${glyphs.dot} ${count(mappings.length, 'mapping')}`,
        focused: at >= 0 && at < mappings.length,
      },
      columns: routerColumns,
      rows: mappings,
      at: at < mappings.length ? at : -1,
      width,
      height: routerRows + 3,
      glyphs,
      empty: router.value === null ? '' : 'no mapping',
    }),
    ...listLines({
      title: {
        left: devices.value === null ? 'devices' : `devices ${glyphs.dot} ${seen.length}`,
        focused: at >= mappings.length,
      },
      columns: deviceColumns,
      rows: seen,
      at: at - mappings.length,
      width,
      height: deviceRows + 3,
      glyphs,
      empty: devices.error ?? (devices.value === null ? 'looking' : 'no machine has been seen'),
    }),
  ];
}

export function sessionsLines(scene: Scene, width: number, height: number): Line[] {
  const { picture, glyphs } = scene;
  if (picture === null) return [];
  const rows = sessionRows(picture.snapshot, scene.views);
  return listLines({
    title: { left: `sessions ${glyphs.dot} ${rows.length}`, focused: true },
    columns: sessionColumns(glyphs),
    rows,
    at: scene.place?.index ?? -1,
    width,
    height,
    glyphs,
    empty: 'no session',
  });
}
