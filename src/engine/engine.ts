// The engine's composition: state, desired state, what runs, and who is told. Collaborators come in; nothing here
// touches the network or prints.
import os from 'node:os';
import type { WorkerEvent } from '../dataplane/messages.ts';
import { version } from '../model/build.ts';
import { type Config, type Forward, isSshForward, type SshForward } from '../model/config.ts';
import { conflictError, findConflict } from '../model/conflicts.ts';
import type { EventLevel } from '../model/event.ts';
import type { Home } from '../model/home.ts';
import type { LinkSpec } from '../model/host.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { ConfigFile } from '../store/config-file.ts';
import { announce } from './announce.ts';
import { createDesired, type Desired } from './desired.ts';
import { createEventLog, type EventLog } from './events.ts';
import { createExpiry } from './expiry.ts';
import type { Logger } from './log.ts';
import { Meter, type Totals } from './meter.ts';
import { createPool, type Pool } from './pool.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import { createRuns, type RunRequest, type Runs } from './runs.ts';
import { type Action, initialState, reduce } from './state.ts';

const sampleEveryMs = 500;

export interface EngineOptions {
  readonly home: Home;
  readonly file: ConfigFile;
  readonly log: Logger;
  readonly workerFile: string;
  readonly kept: Readonly<Record<string, Totals>>;
  readonly plan: (forward: SshForward, noCommonAlgorithm: boolean) => Promise<LinkSpec[]>;
}

export interface Engine {
  readonly home: Home;
  readonly log: Logger;
  readonly desired: Desired;
  readonly events: EventLog;
  readonly meter: Meter;
  readonly pool: Pool;
  readonly publisher: Publisher;
  readonly runs: Runs;
  readonly startedAtMs: number;
  state(): Snapshot;
  dispatch(action: Action): void;
  /** Calls `check` now and after every change of state, until it says true or the time is over. */
  until(check: (state: Snapshot) => boolean, timeoutMs: number): Promise<boolean>;
  note(level: EventLevel, forward: string | null, code: string, message: string): void;
  /** Starts again what runs under these names. */
  restart(names: readonly string[]): void;
  start(): void;
  stop(): Promise<void>;
}

/** What of a forward matters to the thing that runs it. */
function runPart(forward: Forward): string {
  const { session: _session, note: _note, enabled: _enabled, until: _until, ...rest } = forward;
  return JSON.stringify(rest);
}

export function createEngine(options: EngineOptions): Engine {
  const { home, log } = options;
  const startedAtMs = Date.now();
  const events = createEventLog(Date.now);
  const meter = new Meter(Date.now, options.kept);
  const waiters = new Set<() => void>();
  const timestamp = () => new Date().toISOString();

  const desired = createDesired(options.file, (config, undo) => {
    dispatch({ type: 'config', config, undo });
    reconcile(config);
  });
  let state = initialState(
    {
      pid: process.pid,
      version,
      startedAt: new Date(startedAtMs).toISOString(),
      home: home.dir,
      hostname: os.hostname(),
    },
    desired.config(),
  );
  const publisher = createPublisher(() => state);
  events.subscribe((event) => {
    publisher.event(event);
    const { level, code, message, forward } = event;
    log[level]({ code, forward }, message);
  });
  const note: Engine['note'] = (level, forward, code, message) => events.add(level, forward, code, message);

  function dispatch(action: Action): void {
    const before = state;
    state = reduce(state, action);
    if (state === before) return;
    publisher.changed();
    for (const news of announce(before, state)) note(news.level, news.forward, news.code, news.message);
    for (const check of [...waiters]) check();
  }

  const onWorkerEvent = (event: WorkerEvent): void => {
    switch (event.on) {
      case 'listener':
        if (!runs.has(event.id) || runs.requested(event.id) === null) return;
        dispatch({ type: 'listener', at: timestamp(), name: event.id, status: event.status });
        return;
      case 'link':
        if (
          event.status.is === 'failed' &&
          event.status.error.code === 'no_common_algorithm' &&
          runs.fallBack(event.id)
        )
          return;
        dispatch({ type: 'link', at: timestamp(), id: event.id, status: event.status });
        return;
      case 'probe':
        dispatch({ type: 'probe', at: timestamp(), name: event.id, status: event.status });
        return;
      case 'prompt':
        dispatch({ type: 'prompt', prompt: event.prompt });
        return;
      case 'prompt_gone':
        dispatch({ type: 'prompt_gone', prompt: event.prompt });
        return;
      case 'note':
        note(event.level, event.forward, event.code, event.message);
        return;
      case 'stopped':
        runs.stopped(event.id);
        return;
      default:
        return;
    }
  };

  const pool = createPool(options.workerFile, desired.config().settings.workers, {
    event: onWorkerEvent,
    died(worker, why) {
      note('error', null, 'worker_died', `a data-plane thread ended: ${why.split('\n')[0]}`);
      log.error({ worker, why }, 'a data-plane thread ended');
      runs.workerDied(worker);
    },
  });
  const runs = createRuns({
    pool,
    meter,
    settings: () => state.settings,
    plan: options.plan,
    linkStatus: (id) => state.links[id]?.status ?? null,
    onListener: (id, status) => dispatch({ type: 'listener', at: timestamp(), name: id, status }),
    onBound: (id, links) => dispatch({ type: 'bound', name: id, links }),
  });

  /** What the data plane should run for a forward; null for nothing. */
  const wanted = (forward: Forward, config: Config): RunRequest | null => {
    if (!forward.enabled || forward.kind === 'trigger') return null;
    if (!isSshForward(forward) && forward.via !== 'relay') return null;
    // Only a file edited by hand can hold a conflict: the first of the two keeps the port.
    const earlier = config.forwards.slice(0, config.forwards.indexOf(forward)).filter(({ enabled }) => enabled);
    const conflict = findConflict(forward, earlier);
    if (conflict !== null) {
      dispatch({
        type: 'listener',
        at: timestamp(),
        name: forward.name,
        status: { is: 'failed', error: conflictError(forward, conflict).failure },
      });
      return null;
    }
    return { id: forward.name, forward };
  };

  function reconcile(config: Config): void {
    const should = new Map<string, RunRequest>();
    for (const forward of config.forwards) {
      const request = wanted(forward, config);
      if (request !== null) should.set(request.id, request);
    }
    for (const id of runs.ids()) {
      if (id.includes('/')) continue;
      const request = should.get(id) ?? null;
      const has = runs.requested(id);
      if (request === null) void runs.stop(id);
      else if (has === null || runPart(has.forward) !== runPart(request.forward)) runs.start(request);
    }
    for (const request of should.values()) if (!runs.has(request.id)) runs.start(request);
    for (const name of Object.keys(meter.totals())) if (!Object.hasOwn(state.forwards, name)) meter.forget(name);
    expiry.schedule(config);
  }

  const expiry = createExpiry((names) => {
    desired.enable(names, false);
    for (const name of names) note('info', name, 'expired', 'its time is over, it is down');
  });

  let sampler: NodeJS.Timeout | null = null;

  return {
    home,
    log,
    desired,
    events,
    meter,
    pool,
    publisher,
    runs,
    startedAtMs,
    state: () => state,
    dispatch,
    note,
    async until(check, timeoutMs) {
      if (check(state)) return true;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const look = () => {
        if (check(state)) resolve(true);
      };
      const timer = setTimeout(() => resolve(false), timeoutMs);
      waiters.add(look);
      const met = await promise;
      clearTimeout(timer);
      waiters.delete(look);
      return met;
    },
    restart(names) {
      for (const name of names) {
        const request = runs.requested(name);
        if (request !== null) runs.start(request);
      }
    },
    start() {
      reconcile(desired.config());
      sampler = setInterval(() => publisher.counters(timestamp(), meter.sample()), sampleEveryMs);
    },
    async stop() {
      if (sampler !== null) clearInterval(sampler);
      sampler = null;
      expiry.stop();
      await pool.stop();
    },
  };
}
