// An engine in memory that answers a client's calls as the real one does, over a scripted picture and a clock of the
// caller's. What the screen shows is then a matter of the moment alone.
import type { Client } from '../../src/client/client.ts';
import { type Forward, Forward as ForwardSchema, Settings } from '../../src/model/config.ts';
import { parseForwardSpec } from '../../src/model/endpoint.ts';
import { SallyportError } from '../../src/model/errors.ts';
import type { EngineEvent, EventLevel } from '../../src/model/event.ts';
import type { Counters, Flow } from '../../src/model/flow.ts';
import type { Prompt } from '../../src/model/host.ts';
import { isSshForward } from '../../src/model/kinds.ts';
import type { HistoryRange, HistorySeries } from '../../src/model/reports.ts';
import { configuredListen, type ForwardEntry, type LinkEntry, type Snapshot } from '../../src/model/snapshot.ts';
import { type MethodName, methods, type Params, type Result } from '../../src/protocol/methods.ts';
import type { NotificationName, Notifications } from '../../src/protocol/notifications.ts';
import type { Scenario } from './scenario.ts';

export interface FakeEngine {
  /** A new connection; fails while the engine is down. */
  connect(): Promise<Client>;
  snapshot(): Snapshot;
  /** Calls made, in order. */
  readonly calls: readonly { readonly method: MethodName; readonly params: unknown }[];
  /** Changes the picture and tells the watchers. */
  change(edit: (snapshot: Snapshot) => Snapshot): void;
  event(level: EventLevel, forward: string | null, code: string, message: string): void;
  /** What happens meanwhile is dropped, as for a watcher that reads too slowly; then it is told that it has missed some. */
  outrun(meanwhile: () => void): void;
  /** Sends the rates of this moment. */
  pulse(): void;
  /** Cuts every connection, as a SIGKILL would; after `back` a new engine is reached, which counts its own events. */
  kill(): void;
  back(): void;
  /** Says goodbye first. */
  stop(): void;
}

interface Options {
  readonly scenario: Scenario;
  readonly now: () => number;
}

const rangeMs: Record<HistoryRange, { stepMs: number; points: number }> = {
  '1m': { stepMs: 1000, points: 60 },
  '5m': { stepMs: 1000, points: 300 },
  '1h': { stepMs: 10_000, points: 360 },
  '24h': { stepMs: 240_000, points: 360 },
};

export function createFakeEngine({ scenario, now }: Options): FakeEngine {
  const startedAt = now();
  const iso = (ms: number) => new Date(ms).toISOString();
  let down = false;
  let outrun = false;
  let seq = 0;
  let flowsGone = new Set<string>();
  const undo: { what: string; before: Snapshot }[] = [];
  const calls: { method: MethodName; params: unknown }[] = [];
  const connections = new Set<{
    emit<N extends NotificationName>(name: N, params: Notifications[N]): void;
    close(): void;
  }>();
  let snapshot: Snapshot = {
    rev: 1,
    engine: {
      pid: 4242,
      version: '0.1.0',
      startedAt: iso(startedAt - scenario.uptimeMs),
      home: '/home/alice/.config/sallyport',
      hostname: scenario.hostname,
    },
    settings: Settings.parse(scenario.settings ?? {}),
    sessions: scenario.sessions,
    order: scenario.forwards.map(({ config }) => config.name),
    forwards: Object.fromEntries(
      scenario.forwards.map((given): [string, ForwardEntry] => {
        const config = ForwardSchema.parse(given.config);
        return [config.name, entryOf(config, given)];
      }),
    ),
    links: scenario.links(iso, startedAt),
    prompts: scenario.prompts(iso, startedAt),
    warnings: scenario.warnings ?? [],
    undo: null,
  };
  const events: EngineEvent[] = scenario.events.map(([agoMs, level, forward, code, message]) => ({
    seq: ++seq,
    at: iso(startedAt - agoMs),
    level,
    forward,
    code,
    message,
  }));

  function entryOf(config: Forward, given: Partial<Scenario['forwards'][number]> = {}): ForwardEntry {
    const listener = given.listener?.(iso, startedAt) ?? {
      is: 'open' as const,
      at: configuredListen(config),
      since: iso(startedAt - 3_600_000),
    };
    return {
      config,
      link: isSshForward(config) ? (given.link ?? null) : null,
      listener: config.enabled ? listener : { is: 'closed' },
      probe: given.probe?.(iso, startedAt) ?? null,
      lastError: given.lastError?.(iso, startedAt) ?? null,
      opened: given.opened?.(iso, startedAt) ?? [],
      history: given.history?.(iso, startedAt) ?? [],
    };
  }

  const emit = <N extends NotificationName>(name: N, params: Notifications[N]) => {
    if (!outrun) for (const connection of connections) connection.emit(name, params);
  };
  const change = (edit: (before: Snapshot) => Snapshot) => {
    const before = snapshot;
    const next = { ...edit(before), rev: before.rev + 1 };
    snapshot = next;
    const { rev, forwards, links, ...rest } = next;
    const gone = Object.keys(before.forwards).filter((name) => forwards[name] === undefined);
    emit('change', {
      from: before.rev,
      rev,
      forwards: { ...forwards, ...Object.fromEntries(gone.map((name) => [name, null])) },
      links,
      rest,
    });
  };
  /** A change somebody can take back. */
  const edit = (what: string, run: (before: Snapshot) => Snapshot) => {
    undo.push({ what, before: snapshot });
    change((before) => ({ ...run(before), undo: what }));
  };
  const running = (name: string) => {
    const entry = snapshot.forwards[name];
    if (entry === undefined || !entry.config.enabled || entry.listener.is !== 'open') return false;
    const link = entry.link === null ? null : snapshot.links[entry.link];
    return link == null || link.status.is === 'up';
  };
  const rate = (name: string, at: number): { rx: number; tx: number } =>
    running(name) ? scenario.rate(name, at) : { rx: 0, tx: 0 };
  const flowsOf = (name: string) => scenario.flows(name, iso, startedAt).filter(({ id }) => !flowsGone.has(id));
  const countersOf = (name: string): Counters => {
    const { rx, tx } = rate(name, now());
    const base = running(name) ? scenario.totals(name) : { rx: 0, tx: 0, flowsTotal: 0 };
    const elapsed = (now() - startedAt) / 1000;
    return {
      rx: Math.round(base.rx + rx * elapsed),
      tx: Math.round(base.tx + tx * elapsed),
      rxRate: Math.round(rx),
      txRate: Math.round(tx),
      flows: running(name) ? flowsOf(name).length : 0,
      flowsTotal: base.flowsTotal,
      refused: 0,
    };
  };
  const counters = () => Object.fromEntries(snapshot.order.map((name) => [name, countersOf(name)]));
  const need = (name: string): ForwardEntry => {
    const entry = snapshot.forwards[name];
    if (entry === undefined) throw new SallyportError('not_found', `there is no forward ${name}`);
    return entry;
  };
  const selected = (selection: Params<'up'>): string[] => {
    if ('names' in selection) {
      for (const name of selection.names) need(name);
      return selection.names;
    }
    return 'all' in selection
      ? [...snapshot.order]
      : snapshot.order.filter((name) => need(name).config.session === selection.session);
  };
  const patchForwards =
    (names: readonly string[], patch: (entry: ForwardEntry) => ForwardEntry) => (before: Snapshot) => ({
      ...before,
      forwards: {
        ...before.forwards,
        ...Object.fromEntries(names.map((name) => [name, patch(before.forwards[name] as ForwardEntry)])),
      },
    });
  const enable = (names: readonly string[], enabled: boolean) =>
    edit(
      `${enabled ? 'up' : 'down'} ${names.join(' ')}`,
      patchForwards(names, (entry) => {
        const config = { ...entry.config, enabled };
        const given = scenario.forwards.find(({ config: { name } }) => name === config.name);
        return { ...entryOf(config, given), link: entry.link };
      }),
    );
  const refusalOf = (forward: Forward, replacing?: string) => {
    const listen = configuredListen(forward);
    const holder = Object.values(snapshot.forwards).find(
      ({ config }) => config.name !== replacing && config.kind !== 'remote' && configuredListen(config) === listen,
    );
    return holder === undefined
      ? null
      : { code: 'conflict' as const, message: `${listen} belongs to ${holder.config.name}`, hint: 'take another port' };
  };
  const history = (forward: string | undefined, range: HistoryRange): HistorySeries => {
    const { stepMs, points } = rangeMs[range];
    const names = forward === undefined ? snapshot.order : [forward];
    const end = Math.floor(now() / 1000) * 1000;
    const at = (i: number) => names.map((name) => rate(name, end - (points - 1 - i) * stepMs));
    const sums = Array.from({ length: points }, (_, i) => at(i));
    return {
      stepMs,
      end: iso(end),
      rx: sums.map((list) => list.reduce((sum, { rx }) => sum + rx, 0)),
      tx: sums.map((list) => list.reduce((sum, { tx }) => sum + tx, 0)),
    };
  };
  const withLink = (link: string, status: LinkEntry['status']) => (before: Snapshot) => {
    const entry = before.links[link];
    return entry === undefined ? before : { ...before, links: { ...before.links, [link]: { ...entry, status } } };
  };
  const upStatus = () => ({
    is: 'up' as const,
    since: iso(now()),
    address: '198.51.100.17:22',
    cipher: 'aes256-gcm@openssh.com',
    kex: 'curve25519-sha256',
    serverVersion: 'OpenSSH_9.2p1',
    rttMs: 18,
  });

  const answers: { [M in MethodName]?: (params: never) => Result<M> } = {
    hello: () => ({ build: 'source', version: '0.1.0', protocol: 1, pid: 4242, supervised: false }),
    watch: () => ({ snapshot, counters: counters(), eventSeq: seq }),
    unwatch: () => null,
    up: (selection: Params<'up'>) => {
      const names = selected(selection);
      enable(names, true);
      return names;
    },
    down: (selection: Params<'down'>) => {
      const names = selected(selection);
      enable(names, false);
      return names;
    },
    restart: (selection: Params<'restart'>) => selected(selection),
    remove: (selection: Params<'remove'>) => {
      const names = selected(selection);
      edit(`rm ${names.join(' ')}`, (before) => ({
        ...before,
        order: before.order.filter((name) => !names.includes(name)),
        forwards: Object.fromEntries(Object.entries(before.forwards).filter(([name]) => !names.includes(name))),
      }));
      return names;
    },
    add: ({ forwards, up }: Params<'add'>) => {
      const made = forwards.map((forward) => ForwardSchema.parse({ ...(forward as object), enabled: up === true }));
      for (const forward of made) {
        if (snapshot.forwards[forward.name] !== undefined)
          throw new SallyportError('name_taken', `there is a forward ${forward.name}`, 'take another name');
        const refusal = refusalOf(forward);
        if (refusal !== null) throw SallyportError.from(refusal);
      }
      const names = made.map(({ name }) => name);
      edit(`add ${names.join(' ')}`, (before) => ({
        ...before,
        order: [...before.order, ...names],
        forwards: {
          ...before.forwards,
          ...Object.fromEntries(made.map((forward) => [forward.name, { ...entryOf(forward), link: 'pr' }])),
        },
      }));
      return names;
    },
    edit: ({ name, patch }: Params<'edit'>) => {
      const entry = need(name);
      const merged: Record<string, unknown> = { ...entry.config, ...patch };
      for (const [key, value] of Object.entries(merged)) if (value === null) delete merged[key];
      const config = ForwardSchema.parse(merged);
      edit(`edit ${name}`, (before) => {
        const { [name]: _old, ...others } = before.forwards;
        return {
          ...before,
          order: before.order.map((one) => (one === name ? config.name : one)),
          forwards: { ...others, [config.name]: { ...entryOf(config), link: entry.link } },
        };
      });
      return null as never;
    },
    move: ({ names, session }: Params<'move'>) => {
      const moved = Object.fromEntries(
        names.map((name) => [name, { ...need(name), config: { ...need(name).config, session } }]),
      );
      edit(`move ${names.join(', ')} to session ${session}`, (before) => ({
        ...before,
        sessions: { ...before.sessions, [session]: before.sessions[session] ?? { note: '' } },
        forwards: { ...before.forwards, ...moved },
      }));
      return null;
    },
    undo: () => {
      const last = undo.pop();
      if (last === undefined) throw new SallyportError('nothing_to_undo', 'there is nothing to undo');
      change((before) => ({
        ...before,
        order: last.before.order,
        forwards: last.before.forwards,
        sessions: last.before.sessions,
        undo: undo.at(-1)?.what ?? null,
      }));
      return { undone: last.what };
    },
    preview: ({ forward, replacing }: Params<'preview'>) => {
      const made = ForwardSchema.parse(forward);
      return {
        refusal: refusalOf(made, replacing),
        warnings: [],
        actions: [
          isSshForward(made)
            ? `connect to ${made.host} with ssh2 and listen on ${configuredListen(made)}`
            : `listen on ${configuredListen(made)}`,
        ],
      };
    },
    saveSession: ({ name, rename, note }: Params<'saveSession'>) => {
      edit(`session ${name}`, (before) => {
        const { [name]: old, ...others } = before.sessions;
        return { ...before, sessions: { ...others, [rename ?? name]: { note: note ?? old?.note ?? '' } } };
      });
      return null;
    },
    saveSettings: ({ patch }: Params<'saveSettings'>) => {
      change((before) => ({ ...before, settings: Settings.parse({ ...before.settings, ...patch }) }));
      return null;
    },
    removeSession: ({ name }: Params<'removeSession'>) => {
      edit(`session rm ${name}`, (before) => {
        const { [name]: _gone, ...sessions } = before.sessions;
        return { ...before, sessions };
      });
      return null;
    },
    flows: ({ forward }: Params<'flows'>): Flow[] =>
      (forward === undefined ? snapshot.order : [forward])
        .filter(running)
        .flatMap(flowsOf)
        .map((flow) => {
          const elapsed = (now() - startedAt) / 1000;
          const { rx, tx } = rate(flow.forward, now());
          const share = 1 / Math.max(1, flowsOf(flow.forward).length);
          return {
            ...flow,
            rx: Math.round(flow.rx + rx * elapsed * share),
            tx: Math.round(flow.tx + tx * elapsed * share),
          };
        }),
    kill: ({ flow }: Params<'kill'>) => {
      flowsGone = new Set([...flowsGone, flow]);
      pulse();
      return null;
    },
    events: () => [...events],
    history: ({ forward, range }: Params<'history'>) => history(forward, range),
    days: ({ forward }: Params<'days'>) => scenario.days?.(forward ?? null) ?? [],
    hosts: () => Object.values(snapshot.links),
    answer: ({ prompt, answer }: Params<'answer'>) => {
      const asked = snapshot.prompts.find(({ id }) => id === prompt);
      if (asked === undefined) throw new SallyportError('not_found', 'that has been answered');
      const refused = 'hostKey' in answer && answer.hostKey === 'no';
      change((before) => ({
        ...withLink(
          asked.link,
          refused
            ? { is: 'failed', error: { code: 'host_key_unknown', message: 'the host key was not accepted', hint: '' } }
            : upStatus(),
        )(before),
        prompts: before.prompts.filter(({ id }) => id !== prompt),
      }));
      return null;
    },
    openTrigger: ({ name, host }: Params<'openTrigger'>) => {
      const opened = [{ proto: 'tcp' as const, ports: '113', host, expiresAt: iso(now() + 600_000) }];
      change(patchForwards([name], (entry) => ({ ...entry, opened })));
      return opened;
    },
    closeTrigger: ({ name }: Params<'closeTrigger'>) => {
      change(patchForwards([name], (entry) => ({ ...entry, opened: [] })));
      return null;
    },
    devices: () => [...scenario.devices],
    router: () => scenario.router,
    routerDelete: () => null,
    audit: () => ({ rows: scenario.audit, unreadFirewall: scenario.unreadFirewall ?? null }),
    import: ({ args = [] }: Params<'import'>) => {
      const kinds = { '-L': 'local', '-R': 'remote', '-D': 'dynamic' } as const;
      const add: Forward[] = [];
      const host = args.at(-1) ?? '';
      args.forEach((arg, i) => {
        const kind = kinds[arg as keyof typeof kinds];
        if (kind === undefined) return;
        const { listen, target } = parseForwardSpec(kind, args[i + 1] ?? '');
        add.push(
          ForwardSchema.parse({
            kind,
            name: host.replace(/\W/g, '-'),
            host,
            listen,
            ...(target === null ? {} : { target }),
          }),
        );
      });
      return { add, change: [], same: [], skipped: [] };
    },
  };

  const pulse = () => emit('counters', { at: iso(now()), forwards: counters() });

  return {
    async connect() {
      if (down) throw new SallyportError('no_engine', 'no engine runs for this home');
      const listeners = new Map<string, Set<(params: never) => void>>();
      const closers = new Set<() => void>();
      let closed = false;
      const connection = {
        emit(name: NotificationName, params: unknown) {
          for (const listener of listeners.get(name) ?? []) listener(params as never);
        },
        close() {
          if (closed) return;
          closed = true;
          connections.delete(connection);
          for (const closer of closers) closer();
        },
      };
      connections.add(connection as never);
      return {
        async call(method, params) {
          if (closed) throw new SallyportError('engine_gone', 'the engine ended while it was asked');
          calls.push({ method, params });
          const answer = answers[method];
          if (answer === undefined) throw new SallyportError('unsupported', `the fake engine has no ${method}`);
          return answer(methods[method].params.parse(params) as never) as never;
        },
        on(name, listener) {
          const set = listeners.get(name) ?? new Set();
          listeners.set(name, set.add(listener as never));
          return () => set.delete(listener as never);
        },
        onClose(listener) {
          closers.add(listener);
          return () => closers.delete(listener);
        },
        close: connection.close,
      };
    },
    snapshot: () => snapshot,
    calls,
    change,
    event(level, forward, code, message) {
      const event = { seq: ++seq, at: iso(now()), level, forward, code, message };
      events.push(event);
      emit('event', event);
    },
    outrun(meanwhile) {
      outrun = true;
      meanwhile();
      outrun = false;
      emit('resync', null);
    },
    pulse,
    kill() {
      down = true;
      for (const connection of [...connections]) connection.close();
    },
    back() {
      down = false;
      seq = 0;
      events.length = 0;
    },
    stop() {
      emit('bye', { reason: 'stop' });
      down = true;
      for (const connection of [...connections]) connection.close();
    },
  };
}

export type { Prompt };
