// The desired state: the configuration in memory, its file, and the way back.
import { Config, type Forward, Forward as ForwardSchema } from '../model/config.ts';
import { withSessions } from '../model/config-text.ts';
import { ClaimBook, conflictError, findConflict } from '../model/conflicts.ts';
import { SallyportError } from '../model/errors.ts';
import { parseMetricsAddress } from '../model/metrics-address.ts';
import { nameRule, nearestName } from '../model/names.ts';
import { checkForward } from '../model/rules.ts';
import { describeIssue } from '../model/schema-issue.ts';
import type { Selection } from '../protocol/methods.ts';
import type { ConfigFile } from '../store/config-file.ts';

/** How to take one change back: the forwards as they were (null: not there), and the sessions. */
interface Undo {
  readonly what: string;
  readonly forwards: ReadonlyMap<string, Forward | null>;
  readonly sessions: Config['sessions'];
  /** Sessions the change brought, to go again with it. */
  readonly made: readonly string[];
}

const undoDepth = 50;

export type Desired = ReturnType<typeof createDesired>;

/**
 * @param changed called after every change, once it is on disk
 */
export function createDesired(file: ConfigFile, changed: (config: Config, undo: string | null) => void) {
  let config = file.read();
  const undos: Undo[] = [];
  const undoable = () => undos.at(-1)?.what ?? null;

  /** Takes up what somebody wrote into the file by hand, so that a write here never loses it. */
  const catchUp = () => {
    if (!file.changedOutside()) return;
    config = file.read();
    undos.length = 0;
  };

  const commit = (next: Config, what: string | null): void => {
    const before = config;
    file.write(next);
    config = next;
    if (what !== null) {
      const old = new Map(before.forwards.map((forward) => [forward.name, forward]));
      const now = new Map(next.forwards.map((forward) => [forward.name, forward]));
      const touched = new Map<string, Forward | null>();
      for (const name of new Set([...old.keys(), ...now.keys()])) {
        if (old.get(name) !== now.get(name)) touched.set(name, old.get(name) ?? null);
      }
      const made = Object.keys(next.sessions).filter((name) => !Object.hasOwn(before.sessions, name));
      undos.push({ what, forwards: touched, sessions: before.sessions, made });
      if (undos.length > undoDepth) undos.shift();
    }
    changed(config, undoable());
  };

  let index: { readonly of: Config; readonly names: ReadonlyMap<string, Forward> } | null = null;
  const byName = (): ReadonlyMap<string, Forward> => {
    if (index?.of !== config)
      index = { of: config, names: new Map(config.forwards.map((forward) => [forward.name, forward])) };
    return index.names;
  };

  const get = (name: string): Forward => {
    const forward = byName().get(name);
    if (forward !== undefined) return forward;
    const near = nearestName(
      name,
      config.forwards.map((candidate) => candidate.name),
    );
    throw new SallyportError(
      'not_found',
      `no forward is called ${name}`,
      near === null ? 'sallyport ls shows them' : `did you mean ${near}?`,
    );
  };

  const select = (selection: Selection): string[] => {
    if ('names' in selection) return [...new Set(selection.names)].map((name) => get(name).name);
    if ('all' in selection) return config.forwards.map(({ name }) => name);
    const { session } = selection;
    const names = config.forwards.filter((forward) => forward.session === session).map(({ name }) => name);
    if (names.length === 0 && !Object.hasOwn(config.sessions, session)) {
      const near = nearestName(session, Object.keys(config.sessions));
      throw new SallyportError(
        'not_found',
        `no session is called ${session}`,
        near === null ? 'sallyport sessions shows them' : `did you mean ${near}?`,
      );
    }
    return names;
  };

  return {
    config: () => config,
    undoable,
    get,
    select,
    catchUp,

    /** Adds all or none. @throws SallyportError `bad_value`, `name_taken`, `conflict` */
    add(raw: readonly unknown[], up: boolean): Forward[] {
      catchUp();
      const forwards = raw.map((value) => {
        const forward = readForward(value);
        return up ? { ...forward, enabled: true } : forward;
      });
      const names = new Set(config.forwards.map(({ name }) => name));
      const held = new ClaimBook(config.forwards);
      for (const forward of forwards) {
        if (names.has(forward.name)) {
          throw new SallyportError(
            'name_taken',
            `a forward called ${forward.name} exists`,
            `choose another name, or change it: sallyport edit ${forward.name} …`,
          );
        }
        const conflict = held.conflict(forward);
        if (conflict !== null) throw conflictError(forward, conflict);
        names.add(forward.name);
        held.add(forward);
      }
      commit(
        withSessions({ ...config, forwards: [...config.forwards, ...forwards] }),
        `add ${forwards.map(({ name }) => name).join(', ')}`,
      );
      return forwards;
    },

    /** The forward as a patch would leave it, not stored. */
    patched(name: string, patch: Readonly<Record<string, unknown>>): Forward {
      return readForward(merge(get(name), patch));
    },

    edit(name: string, patch: Readonly<Record<string, unknown>>): Forward {
      catchUp();
      const forward = readForward(merge(get(name), patch));
      const others = config.forwards.filter((candidate) => candidate.name !== name);
      if (forward.name !== name && others.some((candidate) => candidate.name === forward.name)) {
        throw new SallyportError('name_taken', `a forward called ${forward.name} exists`, 'choose another name');
      }
      const conflict = findConflict(forward, others);
      if (conflict !== null) throw conflictError(forward, conflict);
      const forwards = config.forwards.map((candidate) => (candidate.name === name ? forward : candidate));
      commit(withSessions({ ...config, forwards }), `edit ${name}`);
      return forward;
    },

    /** All at once, so that one undo takes all of it back. */
    move(names: readonly string[], session: string): void {
      catchUp();
      for (const name of names) get(name);
      const moved = new Set(names);
      const forwards = config.forwards.map((forward) =>
        moved.has(forward.name) ? readForward({ ...forward, session }) : forward,
      );
      commit(withSessions({ ...config, forwards }), `move ${names.join(', ')} to session ${session}`);
    },

    remove(names: readonly string[]): void {
      catchUp();
      for (const name of names) get(name);
      const gone = new Set(names);
      commit({ ...config, forwards: config.forwards.filter(({ name }) => !gone.has(name)) }, `rm ${names.join(', ')}`);
    },

    /** Switches forwards on or off; one that is as wanted stays untouched. */
    enable(names: readonly string[], enabled: boolean): void {
      catchUp();
      const wanted = new Set(names);
      const now = Date.now();
      let any = false;
      const forwards = config.forwards.map((forward) => {
        if (!wanted.has(forward.name)) return forward;
        const { until, ...rest } = forward;
        // Switching on what has run out means without an end, else it would go down at once.
        const over = enabled && until !== undefined && Date.parse(until) <= now;
        if (forward.enabled === enabled && !over) return forward;
        any = true;
        return { ...(over ? (rest as Forward) : forward), enabled };
      });
      if (any) commit({ ...config, forwards }, null);
    },

    undo(): string {
      catchUp();
      const last = undos.at(-1);
      if (last === undefined)
        throw new SallyportError(
          'nothing_to_undo',
          'there is no change to take back',
          'only changes since the engine started can be',
        );
      const forwards = config.forwards.flatMap((forward) => {
        const before = last.forwards.get(forward.name);
        return before === undefined ? [forward] : before === null ? [] : [{ ...before, enabled: forward.enabled }];
      });
      const there = new Set(forwards.map(({ name }) => name));
      for (const [name, before] of last.forwards) if (before !== null && !there.has(name)) forwards.push(before);
      const held = new ClaimBook(forwards);
      for (const forward of forwards) {
        if (!last.forwards.has(forward.name)) continue;
        const conflict = held.conflict(forward);
        if (conflict !== null) throw conflictError(forward, conflict);
      }
      undos.pop();
      const sessions = { ...config.sessions, ...last.sessions };
      for (const name of last.made) if (!forwards.some(({ session }) => session === name)) delete sessions[name];
      commit({ ...config, forwards, sessions }, null);
      return last.what;
    },

    saveSession(name: string, note: string | undefined, rename: string | undefined): void {
      catchUp();
      const to = rename ?? name;
      const { [name]: old, ...others } = config.sessions;
      if (rename !== undefined && old === undefined)
        throw new SallyportError('not_found', `no session is called ${name}`, 'sallyport sessions shows them');
      const next = Config.safeParse({
        ...config,
        sessions: { ...others, [to]: { note: note ?? old?.note ?? '' } },
        forwards: config.forwards.map((forward) => (forward.session === name ? { ...forward, session: to } : forward)),
      });
      if (!next.success) throw new SallyportError('bad_value', describeIssue(next.error), nameRule);
      commit(next.data, rename === undefined ? `session ${name}` : `rename session ${name}`);
    },

    removeSession(name: string): void {
      catchUp();
      const { [name]: old, ...others } = config.sessions;
      if (old === undefined)
        throw new SallyportError('not_found', `no session is called ${name}`, 'sallyport sessions shows them');
      const member = config.forwards.find(({ session }) => session === name);
      if (member !== undefined) {
        throw new SallyportError(
          'conflict',
          `session ${name} still has ${member.name}`,
          'move or remove its forwards first',
        );
      }
      commit({ ...config, sessions: others }, `rm session ${name}`);
    },

    saveSettings(patch: Readonly<Record<string, unknown>>): void {
      catchUp();
      const next = Config.safeParse({ ...config, settings: merge(config.settings, patch) });
      if (!next.success)
        throw new SallyportError('bad_value', describeIssue(next.error), 'docs/config.md has the settings');
      // The file may say what it likes, and only the metrics are lost by it; here somebody can still mend it.
      if (typeof patch.metrics === 'string') parseMetricsAddress(patch.metrics);
      commit(next.data, null);
    },
  };
}

/**
 * A forward from outside, checked.
 * @throws SallyportError `bad_value`, `unsupported`
 */
export function readForward(value: unknown): Forward {
  const parsed = ForwardSchema.safeParse(value);
  if (!parsed.success)
    throw new SallyportError(
      'bad_value',
      describeIssue(parsed.error),
      'sallyport help add, map and trigger show the forms',
    );
  checkForward(parsed.data);
  return parsed.data;
}

/** The object with the patch's keys; null takes one away, and plain objects under `ssh` are merged in turn. */
function merge(base: object, patch: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const next: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete next[key];
    else if (key === 'ssh' && typeof value === 'object') {
      const merged = merge((next[key] as object | undefined) ?? {}, value as never);
      // One that says nothing is not there, as in a forward made without it.
      if (Object.keys(merged).length > 0) next[key] = merged;
      else delete next[key];
    } else next[key] = value;
  }
  return next;
}
