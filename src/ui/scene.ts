// One frozen answer to "what is there to show and to act on", made from the engine's picture and the screen's own state.
import { type Picture, viewsOf } from '../client/mirror.ts';
import type { Settings } from '../model/config.ts';
import type { Prompt } from '../model/host.ts';
import type { AuditRow } from '../model/reports.ts';
import type { ForwardView } from '../model/snapshot.ts';
import { unusualMarkMs } from '../model/unusual.ts';
import { auditText, sortAudit } from '../present/audit.ts';
import { detailText } from '../present/detail-text.ts';
import { eventText, type TimedText } from '../present/events.ts';
import { filterRows, parseFilter } from '../present/filter.ts';
import { flowText } from '../present/flows.ts';
import { type ForwardRow, sortRows } from '../present/forwards.ts';
import type { Glyphs } from '../present/glyphs.ts';
import { type HostRow, hostRows, hostText } from '../present/hosts.ts';
import { type Group, groupOf, groups } from '../present/kinds.ts';
import type { Connection } from './engine.ts';
import type { FlowRow, Resources, Want } from './resources.ts';
import type { Samples } from './samples.ts';
import { type Cursor, filterOf, type Overlay, placeOf, type UiState } from './state.ts';

/** Where a key lands: the topmost thing that is open, else the view. */
export type Context =
  | 'overview'
  | 'detail'
  | 'flows'
  | 'events'
  | 'hosts'
  | 'audit'
  | 'days'
  | 'network'
  | 'sessions'
  | 'filter'
  | 'prompt'
  | 'hostkey'
  | Overlay['is'];

export interface Scene {
  readonly ui: UiState;
  readonly connection: Connection;
  readonly picture: Picture | null;
  readonly paused: boolean;
  /** Whether engine and home end with the dashboard, as a demo's do. */
  readonly throwAway: boolean;
  readonly now: number;
  readonly size: { readonly columns: number; readonly rows: number };
  readonly glyphs: Glyphs;
  readonly views: readonly ForwardView[];
  /** Filtered and sorted, by panel. */
  readonly rows: Readonly<Record<Group, readonly ForwardRow[]>>;
  /** All forwards there are, by panel, whatever the filter says. */
  readonly counts: Readonly<Record<Group, number>>;
  readonly samples: Samples;
  readonly resources: Resources;
  readonly context: Context;
  /** The list the cursor keys move in. */
  readonly ids: readonly string[];
  readonly place: Cursor | null;
  /** The forward the keys act on: the selected row's, or the one whose details are shown. */
  readonly forward: ForwardView | null;
  readonly flow: FlowRow | null;
  readonly prompt: Prompt | null;
}

/** The prompt on top: the oldest that nobody put off. */
function topPrompt(picture: Picture | null, ui: UiState): Prompt | null {
  return picture?.snapshot.prompts.find(({ id }) => !ui.putOff.has(id)) ?? null;
}

const viewCache = new WeakMap<Picture, readonly ForwardView[]>();

function cachedViews(picture: Picture): readonly ForwardView[] {
  const known = viewCache.get(picture);
  if (known !== undefined) return known;
  const views = viewsOf(picture);
  viewCache.set(picture, views);
  return views;
}

function sortFlows(flows: readonly FlowRow[], by: UiState['flowSort']): readonly FlowRow[] {
  const key: Record<UiState['flowSort'], (a: FlowRow, b: FlowRow) => number> = {
    age: (a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0),
    rate: (a, b) => b.rxRate + b.txRate - a.rxRate - a.txRate,
    bytes: (a, b) => b.rx + b.tx - a.rx - a.tx,
    peer: (a, b) => a.peer.localeCompare(b.peer, 'en', { numeric: true }),
  };
  return [...flows].sort(key[by]);
}

const levels = ['debug', 'info', 'warn', 'error'] as const;

/** The events the event view shows, newest last. */
export function shownEvents({ ui, resources }: Pick<Scene, 'ui' | 'resources'>) {
  const all = resources.get({ what: 'events' }).value ?? [];
  const least = levels.indexOf(ui.eventLevel);
  const chosen = all.filter(
    ({ level, forward }) => levels.indexOf(level) >= least && (ui.eventForward === null || forward === ui.eventForward),
  );
  return filterRows(chosen, filterOf(ui, 'events').text, eventText);
}

/** The hosts the host view shows. */
export function shownHosts({ ui, picture, views }: Pick<Scene, 'ui' | 'picture' | 'views'>): readonly HostRow[] {
  const rows = picture === null ? [] : hostRows(picture.snapshot, views);
  return filterRows(rows, filterOf(ui, 'hosts').text, hostText);
}

/** The open ports the audit shows, the worst first. */
export function shownAudit({ ui, resources }: Pick<Scene, 'ui' | 'resources'>): readonly AuditRow[] {
  const rows = sortAudit(resources.get({ what: 'audit' }).value?.rows ?? []);
  return filterRows(rows, filterOf(ui, 'audit').text, auditText);
}

export function makeScene(
  parts: Pick<
    Scene,
    'ui' | 'connection' | 'picture' | 'paused' | 'throwAway' | 'now' | 'size' | 'glyphs' | 'samples' | 'resources'
  >,
): Scene {
  const { ui, picture, samples } = parts;
  const views = picture === null ? [] : cachedViews(picture);
  const matches = parseFilter(filterOf(ui, 'overview').text);
  const all: Record<Group, ForwardRow[]> = { tunnels: [], mappings: [], triggers: [] };
  const counts = { tunnels: 0, mappings: 0, triggers: 0 };
  for (const view of views) {
    const entry = picture?.snapshot.forwards[view.name];
    if (entry === undefined) continue;
    const { config, unusual } = entry;
    const group = groupOf(view.kind);
    counts[group]++;
    const lately = unusual !== undefined && parts.now - Date.parse(unusual.at) < unusualMarkMs;
    const row = { view, config, samples: samples.minute(view.name), unusual: lately };
    if (matches(row)) all[group].push(row);
  }
  const rows = {
    tunnels: sortRows(all.tunnels, ui.sort),
    mappings: sortRows(all.mappings, ui.sort),
    triggers: sortRows(all.triggers, ui.sort),
  };
  const prompt = topPrompt(picture, ui);
  const base = { ...parts, views, rows, counts, prompt, context: contextOf(ui, prompt) };
  const ids = listIds(base);
  const moved = ui.view.is === 'events' && ui.follow ? undefined : ui.cursors[ui.view.is];
  const place = placeOf(moved ?? startOf(base, ids), ids);
  const named = (name: string | null | undefined) => views.find((view) => view.name === name) ?? null;
  const flows = ui.view.is === 'flows' || (ui.view.is === 'detail' && ui.section === 'flows') ? flowsOf(base) : [];
  const flow = flows.find(({ id }) => id === place?.id) ?? null;
  const forward =
    ui.view.is === 'detail'
      ? named(ui.view.forward)
      : ui.view.is === 'overview'
        ? named(place?.id)
        : ui.view.is === 'flows'
          ? named(flow?.forward)
          : named(rowForward(base, place));
  return { ...base, ids, place, forward, flow };
}

/** The forward a row of events or of the audit is about. */
function rowForward(scene: Base, place: Cursor | null): string | null {
  const at = place?.index ?? -1;
  if (scene.ui.view.is === 'events') return shownEvents(scene)[at]?.forward ?? null;
  if (scene.ui.view.is === 'audit') return shownAudit(scene)[at]?.owner ?? null;
  return null;
}

type Base = Omit<Scene, 'ids' | 'place' | 'forward' | 'flow'>;

/** The flows the view shows, in its order. */
export function flowsOf({ ui, resources }: Pick<Scene, 'ui' | 'resources'>): readonly FlowRow[] {
  const forward = ui.view.is === 'detail' ? ui.view.forward : null;
  const flows = resources.get({ what: 'flows', forward }).value ?? [];
  return sortFlows(forward === null ? filterRows(flows, filterOf(ui).text, flowText) : flows, ui.flowSort);
}

/** What has happened to one forward, newest last; of a trigger, who called and what came of it. */
export function eventsOf(
  { resources, picture }: Pick<Scene, 'resources' | 'picture'>,
  name: string,
): readonly TimedText[] {
  const entry = picture?.snapshot.forwards[name];
  if (entry?.config.kind === 'trigger') {
    return entry.history.map(({ at, host, what, why }) => ({
      at,
      level: what === 'refused' ? 'warn' : 'info',
      forward: name,
      message: `${what.replace('_', ' ')} for ${host}: ${why}`,
    }));
  }
  return (resources.get({ what: 'events' }).value ?? []).filter(({ forward }) => forward === name);
}

/** The rows of the section that is shown of a forward's details. */
function detailIds(scene: Base, name: string): readonly string[] {
  const { ui, picture, resources, size } = scene;
  const config = picture?.snapshot.forwards[name]?.config;
  const numbered = (rows: readonly unknown[]) => rows.map((_, i) => String(i));
  switch (ui.section) {
    case 'flows':
      return flowsOf(scene).map(({ id }) => id);
    case 'events':
      return numbered(eventsOf(scene, name));
    case 'days':
      return numbered(resources.get({ what: 'days', forward: name }).value ?? []);
    case 'config':
    case 'command':
      return config === undefined ? [] : numbered(detailText(ui.section, config, size.columns - 4));
  }
}

/** Where a cursor stands that nobody has moved yet: lists of events begin at the newest. */
function startOf({ ui }: Pick<Scene, 'ui'>, ids: readonly string[]): Cursor | undefined {
  const newest = (ui.view.is === 'events' && ui.follow) || (ui.view.is === 'detail' && ui.section === 'events');
  return newest ? { id: null, index: ids.length - 1 } : undefined;
}

function listIds(scene: Base): readonly string[] {
  const { ui, rows, picture, resources } = scene;
  switch (ui.view.is) {
    case 'overview':
      return groups.flatMap((group) => rows[group].map(({ view }) => view.name));
    case 'flows':
      return flowsOf(scene).map(({ id }) => id);
    case 'detail':
      return detailIds(scene, ui.view.forward);
    case 'events':
      return shownEvents(scene).map(({ seq }) => String(seq));
    case 'hosts':
      return shownHosts(scene).map(({ id }) => id);
    case 'audit':
      return shownAudit(scene).map((_, i) => String(i));
    case 'network':
      return [
        ...(resources.get({ what: 'router' }).value?.mappings ?? []).map((m) => `map ${m.proto} ${m.external}`),
        ...(resources.get({ what: 'devices' }).value ?? []).map((d) => `dev ${d.address}`),
      ];
    case 'days':
      return (resources.get({ what: 'days', forward: null }).value ?? []).map(({ day }) => day).reverse();
    case 'sessions':
      return Object.keys(picture?.snapshot.sessions ?? {});
  }
}

function contextOf(ui: UiState, prompt: Prompt | null): Context {
  if (prompt !== null) return prompt.kind === 'host_key' ? 'hostkey' : 'prompt';
  const overlay = ui.overlays.at(-1);
  if (overlay !== undefined) return overlay.is;
  if (ui.filtering) return 'filter';
  return ui.view.is;
}

/** What must be asked of the engine for this scene. */
export function wantsOf(scene: Scene): Want[] {
  const { ui, samples } = scene;
  const overlay = ui.overlays.at(-1);
  const wants: Want[] = samples.seeded(null) ? [] : [{ what: 'history', forward: null, range: '5m' }];
  // The machines a mapping can lead to, and those that may trigger, are offered while it is defined.
  if (overlay?.is === 'form' && (overlay.kind === 'mapping' || overlay.kind === 'trigger'))
    wants.push({ what: 'devices' });
  switch (ui.view.is) {
    case 'overview': {
      // The minute's graph of rows seen for the first time starts with what the engine remembers.
      const unknown = scene.views.filter(({ name, flowsTotal }) => flowsTotal > 0 && !samples.seeded(name));
      for (const { name } of unknown.slice(0, 40)) wants.push({ what: 'history', forward: name, range: '1m' });
      wants.push({ what: 'events' });
      break;
    }
    case 'detail':
      wants.push(
        { what: 'history', forward: ui.view.forward, range: ui.range },
        { what: 'flows', forward: ui.view.forward },
        { what: 'events' },
      );
      if (ui.section === 'days') wants.push({ what: 'days', forward: ui.view.forward });
      break;
    case 'flows':
      wants.push({ what: 'flows', forward: null });
      break;
    case 'days':
      wants.push({ what: 'days', forward: null });
      break;
    case 'network':
      wants.push({ what: 'router' }, { what: 'devices' });
      break;
    case 'hosts':
    case 'sessions':
      break;
    default:
      wants.push({ what: ui.view.is });
  }
  return wants;
}

/** The theme of the settings; as long as they are not known, what the terminal says. */
export const themeOf = ({ picture }: Pick<Scene, 'picture'>): Settings['theme'] =>
  picture?.snapshot.settings.theme ?? 'auto';

/** Whether the passing of time alone changes what is shown: a countdown, or a graph that moves on. */
export function ticks(scene: Scene): boolean {
  if (scene.paused || scene.connection.is !== 'connected') return false;
  const counting = scene.views.some((view) => view.nextTry !== null || view.opened.length > 0);
  switch (scene.ui.view.is) {
    case 'overview':
      return counting || scene.samples.moving();
    case 'detail':
      return (
        counting ||
        scene.picture?.snapshot.forwards[scene.ui.view.forward]?.config.until !== undefined ||
        (scene.forward?.flows ?? 0) > 0 ||
        scene.samples.minute(scene.ui.view.forward).length > 0
      );
    case 'flows':
      return scene.ids.length > 0;
    case 'hosts':
      return Object.values(scene.picture?.snapshot.links ?? {}).some(({ status }) => status.is === 'retrying');
    default:
      return false;
  }
}
