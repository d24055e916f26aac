// The engine's composition: state, desired state, what runs, and who is told. Collaborators come in; nothing here
// touches the network or prints.
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Command, WorkerEvent } from '../dataplane/messages.ts';
import type { GatewayReports } from '../gateways/gateway.ts';
import { createNftablesGateway, type NftablesGateway } from '../gateways/nftables/gateway.ts';
import { createRouterGateway, type RouterGateway } from '../gateways/router/router.ts';
import { version } from '../model/build.ts';
import type { Config, Forward, SshForward } from '../model/config.ts';
import { ClaimBook, conflictError } from '../model/conflicts.ts';
import { toFailure } from '../model/errors.ts';
import type { EventLevel } from '../model/event.ts';
import type { Home } from '../model/home.ts';
import type { LinkSpec } from '../model/host.ts';
import { isSshForward } from '../model/kinds.ts';
import { checkForward } from '../model/rules.ts';
import { linkChain, type Snapshot, type TriggerHistory } from '../model/snapshot.ts';
import type { ListenerStatus, ProbeStatus } from '../model/state.ts';
import { unusualCodes } from '../model/unusual.ts';
import type { ConfigFile } from '../store/config-file.ts';
import { announce } from './announce.ts';
import { atMost } from './at-most.ts';
import { createDesired, type Desired } from './desired.ts';
import { createEventLog, type EventLog } from './events.ts';
import { createExpiry } from './expiry.ts';
import { createKernelProbes } from './kernel-probes.ts';
import { createLiveState } from './live-state.ts';
import type { Logger } from './log.ts';
import { createMappings, type Mappings } from './mappings.ts';
import { type KeptTotals, Meter } from './meter.ts';
import { createPool, type Pool } from './pool.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import { createRuns, type RunRequest, type Runs } from './runs.ts';
import { startSampler } from './sampler.ts';
import { initialState } from './state.ts';
import { leaseFile, tableInstance } from './traces.ts';
import { usesKernel } from './triggers/rules.ts';
import { createTriggers, type Triggers } from './triggers.ts';

/** So long a command waits for what it has changed: a router, or a host that has gone silent, may be slow. */
const followMs = 3000;

export interface EngineOptions {
  readonly home: Home;
  readonly file: ConfigFile;
  readonly log: Logger;
  readonly workerFile: string;
  readonly kept: Readonly<Record<string, KeptTotals>>;
  readonly plan: (forward: SshForward, mismatched: readonly string[]) => Promise<LinkSpec[]>;
  /** Writes down what the meter has counted. */
  readonly saveTotals: () => void;
  /** Address of the router to ask; null for the gateway of the default route. */
  readonly routerAddress: string | null;
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
  readonly mappings: Mappings;
  readonly triggers: Triggers;
  readonly nftables: NftablesGateway;
  readonly router: RouterGateway;
  readonly startedAtMs: number;
  state(): Snapshot;
  /** Calls `check` now and after every change of state, until it says true or the time is over. */
  until(check: (state: Snapshot) => boolean, timeoutMs: number): Promise<boolean>;
  /** Resolves once what ran for these forwards has let go and the gateways have followed, or after a while. */
  followed(names: readonly string[]): Promise<void>;
  note(level: EventLevel, forward: string | null, code: string, message: string): void;
  /** Starts again what runs under these names. */
  restart(names: readonly string[]): void;
  /** The links of these forwards, jump hosts' first, that gave up or wait for their next try are tried at once. */
  retryLinks(names: readonly string[]): void;
  start(): void;
  /** @param handover whether a successor takes over, so that kernel rules and leases stay */
  stop(handover: boolean): Promise<void>;
}

/** What of a forward matters to the thing that runs it. */
function runPart(forward: Forward): string {
  const { session: _session, note: _note, enabled: _enabled, until: _until, ...rest } = forward;
  return JSON.stringify(rest);
}

/** The forward a run is for: of its own name, or of what stands before the slash. */
const ownerOf = (id: string): string => id.split('/', 1)[0] ?? id;

const sameRun = (a: Forward, b: Forward): boolean => a === b || runPart(a) === runPart(b);

export function createEngine(options: EngineOptions): Engine {
  const { home, log } = options;
  const startedAtMs = Date.now();
  const events = createEventLog(Date.now);
  const meter = new Meter(Date.now, options.kept);
  const waiters = new Set<() => void>();
  const timestamp = () => new Date().toISOString();

  const desired = createDesired(options.file, (config, undo) => {
    const before = peek().settings;
    dispatch({ type: 'config', config, undo });
    if (peek().settings !== before) pool.broadcast(timings());
    reconcile(config);
  });
  const live = createLiveState(
    initialState(
      {
        pid: process.pid,
        version,
        startedAt: new Date(startedAtMs).toISOString(),
        home: home.dir,
        hostname: os.hostname(),
      },
      desired.config(),
    ),
    (before, after) => {
      publisher.changed();
      kernelProbes.update(before.forwards, after.forwards);
      for (const news of announce(before, after)) note(news.level, news.forward, news.code, news.message);
      for (const check of [...waiters]) check();
    },
  );
  const { dispatch, peek } = live;
  const publisher = createPublisher(live.show);
  events.subscribe((event) => {
    publisher.event(event);
    const { level, code, message, forward } = event;
    log[level]({ code, forward }, message);
  });
  const note: Engine['note'] = (level, forward, code, message) => {
    events.add(level, forward, code, message);
    if (forward !== null && unusualCodes.has(code))
      dispatch({ type: 'unusual', at: timestamp(), name: forward, code, message });
  };

  const onWorkerEvent = (event: WorkerEvent): void => {
    switch (event.on) {
      case 'listener':
        if (event.id.includes('/')) {
          onExtraRun(event.id, event.status);
          return;
        }
        if (!runs.has(event.id) || runs.requested(event.id) === null) return;
        dispatch({ type: 'listener', at: timestamp(), name: event.id, status: event.status });
        return;
      case 'link':
        if (event.status.is === 'failed') {
          const embedded = peek().links[event.id]?.spec.carrier === 'ssh2';
          if (embedded && event.status.error.code === 'no_common_algorithm' && runs.fallBack(event.id)) return;
          if (runs.leaving(event.id)) return;
        }
        dispatch({ type: 'link', at: timestamp(), id: event.id, status: event.status });
        if (event.status.is === 'up') triggers.onLinkUp(event.id);
        return;
      case 'probe':
        onProbe(ownerOf(event.id), event.status);
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
      case 'call':
        triggers.onCall(event);
        return;
      case 'stopped':
        runs.onStopped(event.id);
        return;
      default:
        return;
    }
  };

  const timings = (): Command => {
    const { keepaliveSeconds, keepaliveCount } = peek().settings;
    return { do: 'timings', timings: { keepaliveSeconds, keepaliveCount } };
  };
  const pool = createPool(options.workerFile, desired.config().settings.workers, {
    event: onWorkerEvent,
    died(worker, why) {
      note('error', null, 'worker_died', `a data-plane thread ended: ${why.split('\n')[0]}`);
      log.error({ worker, why }, 'a data-plane thread ended');
      runs.workerDied(worker);
    },
    greeting: () => [timings(), { do: 'triggers', watches: triggers.watches() }],
  });
  const runs = createRuns({
    pool,
    meter,
    settings: () => peek().settings,
    plan: options.plan,
    onListener: (id, status) => {
      const config = peek().forwards[id]?.config;
      if (id.includes('/')) onExtraRun(id, status);
      // A relay that ends because its mapping has moved to a gateway says nothing of that.
      else if (config?.kind !== 'mapping' || config.via === 'relay') onStatus(id, status);
    },
    onBound: (id, links) => dispatch({ type: 'bound', name: id, links }),
  });

  const onProbe = (name: string, status: ProbeStatus): void =>
    dispatch({ type: 'probe', at: timestamp(), name, status });
  const onStatus = (name: string, status: ListenerStatus): void =>
    dispatch({ type: 'listener', at: timestamp(), name, status });
  /** A gateway's word counts only for what it carries: it may come late, when the forward has moved to another. */
  const reportsOf = (via: 'nftables' | 'router'): GatewayReports => ({
    status(owner, status) {
      const config = peek().forwards[owner]?.config;
      if (config === undefined || !('via' in config) || config.via !== via) return;
      // A trigger whose calls are flows stays armed when what it opened is closed.
      if (status.is === 'closed' && config.kind === 'trigger' && config.enabled && !usesKernel(config)) return;
      onStatus(owner, status);
      triggers.onGate(owner, status);
    },
    note,
  });
  const onSeen = (name: string, item: TriggerHistory): void => {
    dispatch({ type: 'trigger_seen', name, item });
    const level = item.what === 'refused' ? 'warn' : 'info';
    note(level, name, `trigger_${item.what}`, `${item.what.replace('_', ' ')} for ${item.host}: ${item.why}`);
  };
  const onRefreshed = (name: string, host: string): void =>
    note('debug', name, 'trigger_refreshed', `kept open by ${host}`);
  const nftables = createNftablesGateway({
    instance: tableInstance(home),
    reports: reportsOf('nftables'),
    triggerReports: {
      state: (name, opened) => dispatch({ type: 'opened', name, opened }),
      event: onSeen,
      refreshed: onRefreshed,
    },
  });
  const router = createRouterGateway({
    stateFile: leaseFile(home),
    reports: reportsOf('router'),
    gateway: options.routerAddress,
  });
  const mappings = createMappings({ gateways: { nftables, router }, runs, meter, onStatus, note });
  const kernelProbes = createKernelProbes({
    settings: () => peek().settings,
    target: mappings.kernelTarget,
    onProbe,
  });
  const triggers = createTriggers({
    runs,
    meter,
    stateFile: path.join(home.stateDir, 'triggers.json'),
    watch: (watches) => pool.broadcast({ do: 'triggers', watches }),
    setRules: mappings.setExtra,
    setKernelTriggers: mappings.setKernelTriggers,
    openKernel: (name, host, forMs) => nftables.openTrigger(name, host, forMs),
    closeKernel: (name) => nftables.closeTrigger(name),
    lookAtKernel: () => nftables.lookAtTriggers(),
    recount: mappings.count,
    linkDest: (id) => {
      return peek().links[id]?.spec.dest ?? null;
    },
    opened: (name) => peek().forwards[name]?.opened ?? [],
    inForce: (name) => peek().forwards[name]?.listener.is === 'open',
    onStatus,
    onOpened: (name, opened) => dispatch({ type: 'opened', name, opened }),
    onSeen,
    onRefreshed,
  });

  /** What runs on behalf of a forward that somebody else performs: a trigger's ways, a router mapping's relay. */
  function onExtraRun(id: string, status: ListenerStatus): void {
    if (id.includes('/open/')) triggers.onRun(id, status);
    else mappings.onRelay(ownerOf(id), status);
  }

  /** The enabled forwards that can be. Only a file edited by hand can hold another: of two in conflict the first keeps the port. */
  const soundPart = (config: Config): Config => {
    const held = new ClaimBook();
    const accepted: Forward[] = [];
    for (const forward of config.forwards) {
      if (!forward.enabled) continue;
      try {
        checkForward(forward);
        const conflict = held.conflict(forward);
        if (conflict !== null) throw conflictError(forward, conflict);
        held.add(forward);
        accepted.push(forward);
      } catch (error) {
        onStatus(forward.name, { is: 'failed', error: toFailure(error) });
      }
    }
    return { ...config, forwards: accepted };
  };

  function reconcile(config: Config): void {
    const effective = soundPart(config);
    const should = new Map<string, RunRequest>();
    for (const forward of effective.forwards) {
      if (forward.kind === 'trigger' || (!isSshForward(forward) && forward.via !== 'relay')) continue;
      should.set(forward.name, { id: forward.name, forward });
    }
    for (const id of runs.ids()) {
      if (id.includes('/')) continue;
      const request = should.get(id) ?? null;
      const has = runs.requested(id);
      if (request === null) void runs.stop(id);
      else if (has === null || !sameRun(has.forward, request.forward)) runs.start(request);
    }
    for (const request of should.values()) if (!runs.has(request.id)) runs.start(request);
    mappings.update(effective);
    triggers.update(effective);
    const removed = meter.names().filter((name) => !Object.hasOwn(peek().forwards, name));
    if (removed.length > 0) {
      // Written before, so that nothing they moved is missed; and after, so that a crash does not bring it back.
      options.saveTotals();
      for (const name of removed) meter.forget(name);
      options.saveTotals();
    }
    expiry.schedule(config);
  }

  const expiry = createExpiry((names) => {
    desired.enable(names, false);
    for (const name of names) note('info', name, 'expired', 'its time is over, it is down');
  });

  /** The links these forwards run over, jump hosts' before those behind them. */
  const linksOf = (names: readonly string[]): ReadonlySet<string> =>
    new Set(names.flatMap((name) => linkChain(peek().links, peek().forwards[name]?.link ?? null)));

  /** Says so at once, or whoever waits for the outcome would take the old one for it. */
  const tryingAnew = (link: string): boolean => {
    const status = peek().links[link]?.status;
    const over = status?.is === 'waiting' && runs.leaving(link);
    if (status?.is !== 'failed' && status?.is !== 'retrying' && !over) return false;
    // What the try that ends still asked for is of no use to the next.
    if (over)
      for (const { id } of peek().prompts.filter((prompt) => prompt.link === link)) {
        dispatch({ type: 'prompt_gone', prompt: id });
      }
    dispatch({ type: 'link', at: timestamp(), id: link, status: { is: 'connecting' } });
    return true;
  };

  let stopSampling = () => {};

  return {
    home,
    log,
    desired,
    events,
    meter,
    pool,
    publisher,
    runs,
    mappings,
    triggers,
    nftables,
    router,
    startedAtMs,
    state: live.show,
    note,
    async until(check, timeoutMs) {
      if (check(live.show())) return true;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const look = () => {
        if (check(live.show())) resolve(true);
      };
      const timer = setTimeout(() => resolve(false), timeoutMs);
      waiters.add(look);
      const met = await promise;
      clearTimeout(timer);
      waiters.delete(look);
      return met;
    },
    async followed(names) {
      await atMost(followMs, Promise.all([runs.stopped(names), mappings.caughtUp()]));
    },
    restart(names) {
      for (const name of names) {
        const request = runs.requested(name);
        if (request !== null) runs.start(request);
      }
      mappings.restart(names);
      for (const link of linksOf(names)) tryingAnew(link);
    },
    retryLinks(names) {
      for (const link of linksOf(names)) {
        if (tryingAnew(link)) pool.send(runs.workerOf(link), { do: 'retry', link });
      }
    },
    start() {
      const config = desired.config();
      reconcile(config);
      // What a killed engine left behind is adopted, or taken away where it is no longer wanted.
      if (config.forwards.some((forward) => 'via' in forward && forward.via === 'nftables'))
        mappings.recover('nftables');
      if (existsSync(leaseFile(home))) mappings.recover('router');
      stopSampling = startSampler({
        meter,
        publisher,
        refreshMs: () => peek().settings.refreshMs,
        count: () => mappings.count().catch((error: unknown) => log.warn({ err: error }, 'counters could not be read')),
        countsMatter: mappings.opened,
      });
    },
    async stop(handover) {
      stopSampling();
      expiry.stop();
      kernelProbes.stop();
      triggers.stop();
      await Promise.all([mappings.stop(!handover), pool.stop()]);
    },
  };
}
