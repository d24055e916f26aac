// Triggers: which calls the engine's own flows make, who holds what is open, and what has to be opened and closed for it.
// The kernel's triggers run in the packet path; here they are only handed over.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { TriggerWatch, WorkerEvent } from '../dataplane/messages.ts';
import type { GatewayRule } from '../gateways/gateway.ts';
import type { KernelTrigger } from '../gateways/nftables/kernel-triggers.ts';
import { lanAddress } from '../machine/interfaces.ts';
import { sourceFilter } from '../model/cidr.ts';
import { type Config, type PortSet, type Trigger, triggerSets } from '../model/config.ts';
import { parseDuration } from '../model/duration.ts';
import { type Failure, SallyportError } from '../model/errors.ts';
import { formatPortRange, type PortRange, parsePortList, type Transport, transports } from '../model/ports.ts';
import type { TriggerTrial } from '../model/reports.ts';
import { configuredListen, type Opening, type TriggerHistory } from '../model/snapshot.ts';
import type { LinkStatus, ListenerStatus } from '../model/state.ts';
import { type ClaimOutcome, Claims } from '../triggers/claims.ts';
import type { Meter } from './meter.ts';
import type { Runs } from './runs.ts';

type Call = Extract<WorkerEvent, { on: 'call' }>;

export interface TriggersOptions {
  readonly runs: Runs;
  readonly meter: Meter;
  /** Where openings are kept, so that a restarted engine can go on with them. */
  readonly stateFile: string;
  readonly watch: (watches: readonly TriggerWatch[]) => void;
  readonly setRules: (owner: string, via: 'nftables' | 'router', rules: readonly GatewayRule[]) => void;
  readonly setKernelTriggers: (triggers: readonly KernelTrigger[]) => void;
  readonly openKernel: (name: string, host: string, forMs: number) => Promise<void>;
  readonly closeKernel: (name: string) => Promise<void>;
  /** Destination of a link, for a remote forward over it; null when it is not known. */
  readonly linkDest: (link: string) => { dest: string; status: LinkStatus } | null;
  readonly opened: (name: string) => readonly Opening[];
  readonly onStatus: (name: string, status: ListenerStatus) => void;
  readonly onOpened: (name: string, opened: readonly Opening[]) => void;
  readonly onSeen: (name: string, item: TriggerHistory) => void;
}

/** A trigger whose calls are the engine's own flows. */
interface FlowTrigger {
  readonly config: Trigger;
  readonly claims: Claims;
  /** Link the holder's call went over. */
  link: string | null;
  runs: readonly string[];
  /** Bytes through what is open, as last looked at. */
  bytes: number;
  /** When each host was last told to be turned away, so that a stubborn one fills no log. */
  readonly turnedAway: Map<string, number>;
}

const lookEveryMs = 500;
const turnedAwayEveryMs = 60_000;

const keptSchema = z.record(
  z.string(),
  z.object({ host: z.string(), openedAt: z.number(), expiresAt: z.number(), link: z.string().nullable() }),
);

export const usesKernel = (trigger: Trigger): boolean =>
  (trigger.source ?? (trigger.via === 'nftables' ? 'kernel' : 'flows')) === 'kernel';

interface OpenRange extends PortRange {
  readonly proto: Transport;
}

export function openRanges(sets: readonly PortSet[]): OpenRange[] {
  return sets.flatMap(({ proto, ports }) =>
    transports(proto).flatMap((transport) => parsePortList(ports).map((range) => ({ ...range, proto: transport }))),
  );
}

export type Triggers = ReturnType<typeof createTriggers>;

export function createTriggers(options: TriggersOptions) {
  const { runs, meter } = options;
  const flowTriggers = new Map<string, FlowTrigger>();
  let kernelTriggers = new Map<string, Trigger>();
  let kept = readKept(options.stateFile);
  /** Remote forwards to adopt once the link they ran over is up again. */
  const orphans = new Map<string, { host: string; link: string }>();
  let timer: NodeJS.Timeout | null = null;
  const now = () => performance.now();
  const iso = (monotonicMs: number) => new Date(Date.now() + (monotonicMs - now())).toISOString();

  const seen = (name: string, what: TriggerHistory['what'], host: string, why: string) =>
    options.onSeen(name, { at: new Date().toISOString(), host, what, why });

  const publish = (trigger: FlowTrigger) => {
    const { config, claims } = trigger;
    const claim = claims.current(now());
    options.onOpened(
      config.name,
      claim === null
        ? []
        : openRanges(config.open).map((range) => ({
            proto: range.proto,
            ports: formatPortRange(range),
            host: claim.host,
            expiresAt: iso(claim.expiresAt),
          })),
    );
    save();
  };

  const save = () => {
    const next = Object.fromEntries(
      [...flowTriggers.values()].flatMap(({ config, claims, link }) => {
        const claim = claims.current(now());
        if (claim === null) return [];
        const wall = Date.now() - now();
        return [
          [config.name, { host: claim.host, openedAt: wall + claim.openedAt, expiresAt: wall + claim.expiresAt, link }],
        ];
      }),
    );
    const rough = (of: typeof next) =>
      JSON.stringify(of, (_, value) => (typeof value === 'number' ? Math.round(value / 1000) : value));
    if (rough(next) === rough(kept)) return;
    kept = next;
    mkdirSync(path.dirname(options.stateFile), { recursive: true, mode: 0o700 });
    writeFileSync(`${options.stateFile}.new`, JSON.stringify(next), { mode: 0o600 });
    renameSync(`${options.stateFile}.new`, options.stateFile);
  };

  const open = (trigger: FlowTrigger, host: string, link: string | null) => {
    const { config } = trigger;
    trigger.link = link;
    const ranges = openRanges(config.open);
    if (config.via === 'nftables' || config.via === 'router') {
      const relayed = config.via === 'router';
      options.setRules(
        config.name,
        config.via,
        ranges.map((range) => gateRule(config, range, relayed ? '' : host)),
      );
      if (relayed)
        void lanAddress().then(
          (own) => trigger.claims.current(now())?.host === host && relay(trigger, ranges, host, own ?? '*'),
        );
    } else if (config.via === 'relay') {
      relay(trigger, ranges, host, config.bind);
    } else {
      openFar(trigger, ranges, host, link);
    }
    trigger.bytes = moved(config.name);
    startLooking();
  };

  const start = (trigger: FlowTrigger, requests: readonly Parameters<Runs['start']>[0][]) => {
    trigger.runs = requests.map(({ id }) => id);
    for (const request of requests) runs.start(request);
  };

  const relay = (trigger: FlowTrigger, ranges: readonly OpenRange[], host: string, address: string | undefined) => {
    const { config } = trigger;
    start(
      trigger,
      ranges.map(({ proto, first, last }, i) => ({
        id: `${config.name}/open/${i}`,
        forward: {
          kind: 'mapping',
          name: config.name,
          session: config.session,
          enabled: true,
          via: 'relay',
          proto,
          listen: { address, port: first, last },
          target: { host, port: first },
          ...limits(config),
        },
      })),
    );
  };

  const openFar = (trigger: FlowTrigger, ranges: readonly OpenRange[], host: string, link: string | null) => {
    const { config } = trigger;
    const far = link === null ? null : options.linkDest(link);
    if (link === null || far === null) {
      complain(config, {
        code: 'host_lost',
        message: 'the call went over no SSH connection to open the port on',
        hint: 'call through a SOCKS or local forward',
      });
      return;
    }
    const ports = ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    start(
      trigger,
      ports.map((port) => ({
        id: `${config.name}/open/${port}`,
        link,
        forward: {
          kind: 'remote',
          name: config.name,
          session: config.session,
          enabled: true,
          host: far.dest,
          listen: { address: config.bind, port },
          target: { host, port },
          probe: false,
          ...limits(config),
        },
      })),
    );
  };

  const complain = (config: Trigger, error: Failure) =>
    options.onStatus(config.name, {
      is: 'open',
      at: configuredListen(config),
      since: new Date().toISOString(),
      notice: error,
    });

  const close = (trigger: FlowTrigger) => {
    const { config } = trigger;
    for (const id of trigger.runs) void runs.stop(id, { cutFlows: config.closeFlows ?? false });
    trigger.runs = [];
    if (config.via === 'nftables' || config.via === 'router') options.setRules(config.name, config.via, []);
    orphans.delete(config.name);
    // A port that could not be opened is forgotten with the opening.
    options.onStatus(config.name, { is: 'open', at: configuredListen(config), since: new Date().toISOString() });
    publish(trigger);
  };

  const moved = (name: string) => {
    const { rx, tx, flowsTotal } = meter.current(name);
    return rx + tx + flowsTotal;
  };

  const act = (trigger: FlowTrigger, outcome: ClaimOutcome, link: string | null) => {
    const { name } = trigger.config;
    switch (outcome.is) {
      case 'opened':
        seen(name, 'opened', outcome.host, outcome.byHand ? 'by hand' : 'it called out');
        open(trigger, outcome.host, link);
        break;
      case 'taken_over':
        close(trigger);
        seen(name, 'taken_over', outcome.host, `from ${outcome.from}${outcome.byHand ? ', by hand' : ''}`);
        open(trigger, outcome.host, link);
        break;
      case 'refused': {
        const last = trigger.turnedAway.get(outcome.host);
        if (last !== undefined && now() - last < turnedAwayEveryMs) return;
        if (trigger.turnedAway.size > 1000) trigger.turnedAway.clear();
        trigger.turnedAway.set(outcome.host, now());
        seen(name, 'refused', outcome.host, `${outcome.holder} holds it`);
        return;
      }
      case 'closed':
        seen(
          name,
          'closed',
          outcome.host,
          { idle: 'no traffic', max_open: 'its longest time is over', by_hand: 'by hand' }[outcome.why],
        );
        close(trigger);
        return;
      case 'refreshed':
        break;
    }
    publish(trigger);
  };

  const look = () => {
    let any = false;
    for (const trigger of flowTriggers.values()) {
      const claim = trigger.claims.current(now());
      if (claim !== null) {
        const bytes = moved(trigger.config.name);
        if (bytes !== trigger.bytes && trigger.claims.touch(claim.host, now())) publish(trigger);
        trigger.bytes = bytes;
      }
      const closed = trigger.claims.tick(now());
      if (closed !== null) act(trigger, closed, null);
      any ||= trigger.claims.nextTick !== null;
    }
    if (!any && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
  const startLooking = () => {
    timer ??= setInterval(look, lookEveryMs);
  };

  const adopt = (trigger: FlowTrigger) => {
    const { name, via } = trigger.config;
    const old = kept[name];
    if (old === undefined || old.expiresAt <= Date.now()) return;
    const wall = Date.now() - now();
    trigger.claims.adopt({ host: old.host, openedAt: old.openedAt - wall, expiresAt: old.expiresAt - wall });
    if (via === 'remote') {
      if (old.link !== null) orphans.set(name, { host: old.host, link: old.link });
      startLooking();
    } else {
      open(trigger, old.host, old.link);
    }
    publish(trigger);
  };

  const named = (name: string): FlowTrigger => {
    const trigger = flowTriggers.get(name);
    if (trigger === undefined)
      throw new SallyportError('not_found', `no armed trigger is called ${name}`, `sallyport up ${name} arms it`);
    return trigger;
  };

  const rulePart = ({ note: _note, session: _session, until: _until, ...rest }: Trigger) => JSON.stringify(rest);

  return {
    update(config: Config): void {
      const armed = config.forwards.filter(
        (forward): forward is Trigger => forward.kind === 'trigger' && forward.enabled,
      );
      const byFlows = new Map(
        armed.filter((trigger) => !usesKernel(trigger)).map((trigger) => [trigger.name, trigger]),
      );
      for (const [name, trigger] of flowTriggers) {
        const next = byFlows.get(name);
        if (next !== undefined && rulePart(next) === rulePart(trigger.config)) continue;
        const claim = trigger.claims.close();
        if (claim !== null) act(trigger, { ...claim, why: 'by_hand' }, null);
        flowTriggers.delete(name);
        options.onStatus(name, { is: 'closed' });
      }
      for (const [name, trigger] of byFlows) {
        if (flowTriggers.has(name)) continue;
        const entry: FlowTrigger = {
          config: trigger,
          claims: new Claims({
            idleMs: parseDuration(trigger.idle),
            second: trigger.second,
            maxOpenMs: trigger.maxOpen === undefined ? null : parseDuration(trigger.maxOpen),
          }),
          link: null,
          runs: [],
          bytes: 0,
          turnedAway: new Map(),
        };
        flowTriggers.set(name, entry);
        options.onStatus(name, { is: 'open', at: configuredListen(trigger), since: new Date().toISOString() });
        adopt(entry);
      }
      options.watch(watches());
      const kernel = new Map(armed.filter(usesKernel).map((trigger) => [trigger.name, trigger]));
      const changed =
        kernel.size !== kernelTriggers.size ||
        [...kernel].some(([name, trigger]) => kernelTriggers.get(name) !== trigger);
      for (const name of kernelTriggers.keys()) {
        if (kernel.has(name) || byFlows.has(name)) continue;
        options.onStatus(name, { is: 'closed' });
        options.onOpened(name, []);
      }
      kernelTriggers = kernel;
      if (changed) options.setKernelTriggers([...kernel.values()].map(kernelTrigger));
    },

    watches,

    onCall(call: Call): void {
      const trigger = flowTriggers.get(call.trigger);
      if (trigger === undefined) return;
      const closed = trigger.claims.tick(now());
      if (closed !== null) act(trigger, closed, null);
      if (call.still) {
        if (trigger.claims.touch(call.host, now())) publish(trigger);
      } else {
        act(trigger, trigger.claims.claim(call.host, now()), call.link);
      }
    },

    /** How a way that a trigger opened does. */
    onRun(id: string, status: ListenerStatus): void {
      const trigger = flowTriggers.get(id.slice(0, id.indexOf('/')));
      if (trigger === undefined || !trigger.runs.includes(id)) return;
      if (status.is === 'failed' || status.is === 'retrying') complain(trigger.config, status.error);
    },

    /** A link came up: what was open over it before a restart opens again. */
    onLinkUp(link: string): void {
      for (const [name, orphan] of orphans) {
        const trigger = flowTriggers.get(name);
        if (orphan.link !== link || trigger === undefined) continue;
        orphans.delete(name);
        if (trigger.claims.current(now())?.host === orphan.host) open(trigger, orphan.host, link);
      }
    },

    async open(name: string, host: string, forMs: number | undefined): Promise<readonly Opening[]> {
      const kernel = kernelTriggers.get(name);
      if (kernel !== undefined) {
        await options.openKernel(name, host, forMs ?? parseDuration(kernel.idle));
        return options.opened(name);
      }
      const trigger = named(name);
      const ms = forMs ?? parseDuration(trigger.config.idle);
      act(trigger, trigger.claims.openManually(host, ms, now()), trigger.link);
      return options.opened(name);
    },

    async close(name: string): Promise<void> {
      if (kernelTriggers.has(name)) return options.closeKernel(name);
      const trigger = named(name);
      const closed = trigger.claims.close();
      if (closed !== null) act(trigger, closed, null);
    },

    trial(name: string, host: string): TriggerTrial {
      const kernel = kernelTriggers.get(name);
      const config = kernel ?? named(name).config;
      if (!sourceFilter({ allow: config.from ?? [] })(host))
        return { would: 'refuse', why: `${host} is outside what --from lets trigger` };
      if (kernel === undefined) return named(name).claims.trial(host, now());
      const holder = options.opened(name)[0]?.host;
      if (holder === undefined) return { would: 'open', why: 'nobody holds it' };
      if (holder === host) return { would: 'refresh', why: `${host} holds it already` };
      return kernel.second === 'first'
        ? { would: 'refuse', why: `${holder} holds it until it is idle` }
        : { would: 'take_over', why: `the last caller has it, and ${holder} holds it now` };
    },

    stop(): void {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };

  function watches(): TriggerWatch[] {
    return [...flowTriggers.values()].map(({ config }) => ({
      name: config.name,
      on: triggerSets(config.on),
      from: config.from ?? [],
      to: config.to ?? [],
    }));
  }
}

function limits({ allow, deny, maxFlows, rate, idleFlow }: Trigger) {
  return { allow, deny, maxFlows, rate, idleFlow };
}

function gateRule(config: Trigger, range: OpenRange, host: string): GatewayRule {
  return {
    owner: config.name,
    proto: range.proto,
    external: { address: config.bind ?? null, first: range.first, last: range.last },
    internal: { address: host, first: range.first },
    allow: config.allow ?? [],
    deny: config.deny ?? [],
    masquerade: false,
    helper: null,
    maxFlows: config.maxFlows ?? null,
    rateBytesPerSecond: config.rate ?? null,
  };
}

function kernelTrigger(config: Trigger): KernelTrigger {
  return {
    name: config.name,
    on: openRanges(triggerSets(config.on)),
    open: openRanges(config.open),
    idleMs: parseDuration(config.idle),
    second: config.second,
    from: config.from ?? [],
    to: config.to ?? [],
    bind: config.bind ?? null,
    maxOpenMs: config.maxOpen === undefined ? null : parseDuration(config.maxOpen),
    closeFlows: config.closeFlows ?? false,
    allow: config.allow ?? [],
    deny: config.deny ?? [],
  };
}

/** What was open when the last engine ended; nothing where the file is missing or damaged. */
function readKept(file: string): z.infer<typeof keptSchema> {
  try {
    return keptSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return {};
  }
}
