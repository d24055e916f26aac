// The engine's state and the one way it changes: a pure reducer. What did not change keeps its identity.
import type { Config } from '../model/config.ts';
import type { Failure } from '../model/errors.ts';
import type { LinkSpec, Prompt } from '../model/host.ts';
import {
  type ForwardEntry,
  linkChain,
  type Opening,
  type Snapshot,
  type TriggerHistory,
  type Warning,
} from '../model/snapshot.ts';
import type { LinkStatus, ListenerStatus, ProbeStatus } from '../model/state.ts';

export type Action =
  /** The configuration is now this one. Forwards that stay keep what is known of them. */
  | { readonly type: 'config'; readonly config: Config; readonly undo: string | null }
  | { readonly type: 'listener'; readonly at: string; readonly name: string; readonly status: ListenerStatus }
  | { readonly type: 'probe'; readonly at: string; readonly name: string; readonly status: ProbeStatus }
  /** The forward runs over these links: the last is its own, the others carry it. */
  | { readonly type: 'bound'; readonly name: string; readonly links: readonly LinkSpec[] }
  | { readonly type: 'link'; readonly at: string; readonly id: string; readonly status: LinkStatus }
  | { readonly type: 'prompt'; readonly prompt: Prompt }
  | { readonly type: 'prompt_gone'; readonly prompt: string }
  | { readonly type: 'opened'; readonly name: string; readonly opened: readonly Opening[] }
  | { readonly type: 'trigger_seen'; readonly name: string; readonly item: TriggerHistory }
  | {
      readonly type: 'unusual';
      readonly at: string;
      readonly name: string;
      readonly code: string;
      readonly message: string;
    }
  | { readonly type: 'warnings'; readonly warnings: readonly Warning[] };

const historyLength = 50;
const closed: ListenerStatus = { is: 'closed' };

export function initialState(engine: Snapshot['engine'], config: Config): Snapshot {
  const blank: Snapshot = {
    rev: 0,
    engine,
    settings: config.settings,
    sessions: config.sessions,
    order: [],
    forwards: {},
    links: {},
    prompts: [],
    warnings: [],
    undo: null,
  };
  return reduce(blank, { type: 'config', config, undo: null });
}

/**
 * Tables that were made since somebody last looked at the state, and so may be written into: the first change copies a
 * table of ten thousand forwards, the others until the next look don't.
 */
export type Unseen = WeakSet<object>;

/**
 * The state after an action: the same object when nothing changed, else a new one with the next `rev`.
 * @param unseen kept by a caller who shows nobody the states between; without it `state` stays as it is
 */
export function reduce(state: Snapshot, action: Action, unseen: Unseen = new WeakSet()): Snapshot {
  const next = step(state, action, unseen);
  return next === state ? state : Object.freeze({ ...next, rev: state.rev + 1 });
}

type Table<T> = Readonly<Record<string, T>>;

function put<T>(table: Table<T>, key: string, value: T, unseen: Unseen): Table<T> {
  const own: Record<string, T> = unseen.has(table) ? table : { ...table };
  unseen.add(own);
  own[key] = value;
  return own;
}

function step(state: Snapshot, action: Action, unseen: Unseen): Snapshot {
  switch (action.type) {
    case 'config':
      return pruneLinks(withConfig(state, action.config, action.undo));
    case 'listener':
      return patchForward(state, action.name, unseen, (entry) => ({
        ...entry,
        listener: action.status,
        // A new listener has not been probed yet.
        probe: action.status.is === 'open' && entry.listener.is === 'open' ? entry.probe : null,
        lastError: 'error' in action.status ? { at: action.at, failure: action.status.error } : entry.lastError,
      }));
    case 'probe':
      return patchForward(state, action.name, unseen, (entry) => ({
        ...entry,
        probe: action.status,
        lastError: action.status?.ok === false ? { at: action.at, failure: action.status.error } : entry.lastError,
      }));
    case 'bound':
      return bind(state, action.name, action.links, unseen);
    case 'link':
      return withLinkStatus(state, action.at, action.id, action.status, unseen);
    case 'prompt':
      return { ...state, prompts: [...state.prompts.filter(({ id }) => id !== action.prompt.id), action.prompt] };
    case 'prompt_gone':
      return state.prompts.some(({ id }) => id === action.prompt)
        ? { ...state, prompts: state.prompts.filter(({ id }) => id !== action.prompt) }
        : state;
    case 'opened':
      return patchForward(state, action.name, unseen, (entry) =>
        entry.opened.length === 0 && action.opened.length === 0 ? entry : { ...entry, opened: action.opened },
      );
    case 'trigger_seen':
      return patchForward(state, action.name, unseen, (entry) => ({
        ...entry,
        history: [...entry.history, action.item].slice(-historyLength),
      }));
    case 'unusual': {
      const { at, code, message } = action;
      return patchForward(state, action.name, unseen, (entry) => ({ ...entry, unusual: { at, code, message } }));
    }
    case 'warnings':
      return { ...state, warnings: action.warnings };
  }
}

function withConfig(state: Snapshot, config: Config, undo: string | null): Snapshot {
  const forwards: Record<string, ForwardEntry> = {};
  for (const forward of config.forwards) {
    const known = state.forwards[forward.name];
    forwards[forward.name] =
      known === undefined || known.config.kind !== forward.kind
        ? { config: forward, link: null, listener: closed, probe: null, lastError: null, opened: [], history: [] }
        : known.config === forward
          ? known
          : { ...known, config: forward };
  }
  return {
    ...state,
    settings: config.settings,
    sessions: config.sessions,
    order: config.forwards.map(({ name }) => name),
    forwards,
    undo,
  };
}

function patchForward(
  state: Snapshot,
  name: string,
  unseen: Unseen,
  patch: (entry: ForwardEntry) => ForwardEntry,
): Snapshot {
  const entry = state.forwards[name];
  if (entry === undefined) return state;
  const next = patch(entry);
  return next === entry ? state : { ...state, forwards: put(state.forwards, name, next, unseen) };
}

function bind(state: Snapshot, name: string, specs: readonly LinkSpec[], unseen: Unseen): Snapshot {
  const before = state.forwards[name]?.link ?? null;
  const link = specs.at(-1)?.id ?? null;
  let { links } = state;
  let rerouted = false;
  for (const { id, dest, carrier, why, via } of specs) {
    const known = links[id];
    rerouted ||= known !== undefined && known.spec.via !== via;
    const entry = { spec: { id, dest, carrier, why, via }, status: known?.status ?? ({ is: 'idle' } as const) };
    links = put(links, id, entry, unseen);
  }
  const bound = patchForward({ ...state, links }, name, unseen, (entry) => ({ ...entry, link }));
  // Only what was used before can be used no more.
  return rerouted || !Object.hasOwn(state.forwards, name) || (before !== null && before !== link)
    ? pruneLinks(bound)
    : bound;
}

/** Links nobody runs over any more are forgotten. */
function pruneLinks(state: Snapshot): Snapshot {
  const used = new Set<string>();
  for (const { link } of Object.values(state.forwards)) for (const id of linkChain(state.links, link)) used.add(id);
  const ids = Object.keys(state.links);
  if (ids.every((id) => used.has(id))) return state;
  return { ...state, links: Object.fromEntries(Object.entries(state.links).filter(([id]) => used.has(id))) };
}

/** A try after a loss stays part of it: what runs over the link is not starting but still retrying. */
function followingOn(before: LinkStatus, status: LinkStatus): LinkStatus {
  if (status.is !== 'connecting') return status;
  const after = before.is === 'retrying' ? before.error : before.is === 'connecting' ? before.after : undefined;
  return after === undefined ? status : { ...status, after };
}

function withLinkStatus(state: Snapshot, at: string, id: string, status: LinkStatus, unseen: Unseen): Snapshot {
  const link = state.links[id];
  if (link === undefined) return state;
  const links = put(state.links, id, { ...link, status: followingOn(link.status, status) }, unseen);
  const failure: Failure | null = 'error' in status ? status.error : null;
  if (failure === null) return { ...state, links };
  let { forwards } = state;
  for (const [name, entry] of Object.entries(state.forwards)) {
    if (entry.config.enabled && linkChain(links, entry.link).includes(id))
      forwards = put(forwards, name, { ...entry, lastError: { at, failure } }, unseen);
  }
  return { ...state, links, forwards };
}
