// Triggers whose calls are flows of the engine's own: who holds what is open, and what has to be opened and closed for it.
import type { TriggerWatch, WorkerEvent } from '../../dataplane/messages.ts';
import type { Trigger } from '../../model/config.ts';
import { parseDuration } from '../../model/duration.ts';
import { type Failure, SallyportError, toFailure } from '../../model/errors.ts';
import { triggerSets } from '../../model/kinds.ts';
import { formatPortRange } from '../../model/ports.ts';
import type { TriggerTrial } from '../../model/reports.ts';
import { configuredListen, type Opening } from '../../model/snapshot.ts';
import type { ListenerStatus } from '../../model/state.ts';
import { type ClaimOutcome, Claims } from '../../triggers/claims.ts';
import { atMost } from '../at-most.ts';
import type { Meter } from '../meter.ts';
import { HolderNews, type HolderNewsOptions } from './holder-news.ts';
import { type KeptOpening, openOpeningsFile } from './kept-openings.ts';
import { openRanges, rulePart } from './rules.ts';
import { createWays, noteRun, openIn, troubleOf, type Way, type WaysOptions } from './ways.ts';

type Call = Extract<WorkerEvent, { on: 'call' }>;

export interface FlowTriggersOptions extends WaysOptions, HolderNewsOptions {
  readonly meter: Meter;
  /** Where openings are kept, so that a restarted engine can go on with them. */
  readonly stateFile: string;
  readonly watch: (watches: readonly TriggerWatch[]) => void;
  /** Reads into the meter what gateways have counted until now. */
  readonly recount: () => Promise<void>;
  readonly onStatus: (name: string, status: ListenerStatus) => void;
  readonly onOpened: (name: string, opened: readonly Opening[]) => void;
}

/** A trigger whose calls are the engine's own flows. */
interface FlowTrigger {
  readonly config: Trigger;
  readonly claims: Claims;
  readonly news: HolderNews;
  /** ISO time. */
  readonly armedAt: string;
  /** Link the last claim's call went over. */
  link: string | null;
  way: Way | null;
  /** Remote forwards to adopt once the link they ran over is up again. */
  orphaned: boolean;
  /** When it ends as last told, by the clock of the wall. */
  toldEndMs: number;
  /** Bytes and flows through what is open, as last looked at. */
  used: number;
  /** Its time is over by what is known, and the gateway is asked what it has counted since; null at other times. */
  asking: Promise<void> | null;
}

const lookEveryMs = 500;
/** A gateway that does not answer by then prolongs nothing. */
const longestAskMs = 1500;
/** A difference of the clocks that is no drift. */
const clockSetMs = 1000;

export function createFlowTriggers(options: FlowTriggersOptions) {
  const { meter, onStatus } = options;
  const triggers = new Map<string, FlowTrigger>();
  const ways = createWays(options);
  const file = openOpeningsFile(options.stateFile);
  /** What a former engine had open and nobody has asked for yet. */
  const kept = new Map(Object.entries(file.found));
  let timer: NodeJS.Timeout | null = null;
  const now = () => performance.now();
  const wallMs = (monotonicMs: number) => Date.now() + (monotonicMs - now());

  const publish = (trigger: FlowTrigger) => {
    const { config, claims, way } = trigger;
    const claim = claims.current(now());
    trigger.toldEndMs = claim === null ? 0 : wallMs(claim.expiresAt);
    const expiresAt = new Date(trigger.toldEndMs).toISOString();
    options.onOpened(
      config.name,
      claim === null
        ? []
        : (way === null ? openRanges(config.open) : openIn(way)).map((range) => ({
            proto: range.proto,
            ports: formatPortRange(range),
            host: claim.host,
            expiresAt,
          })),
    );
    save();
  };

  const save = () => {
    const open = [...triggers.values()].flatMap(({ config, claims, link }): [string, KeptOpening][] => {
      const claim = claims.current(now());
      if (claim === null) return [];
      return [[config.name, { host: claim.host, openedAtMs: claim.openedAt, expiresAtMs: claim.expiresAt, link }]];
    });
    file.save(Object.fromEntries(open));
  };

  const armed = ({ config, armedAt }: FlowTrigger, notice?: Failure) => {
    const at = configuredListen(config);
    onStatus(config.name, { is: 'open', at, since: armedAt, ...(notice !== undefined && { notice }) });
  };

  const open = (trigger: FlowTrigger, host: string) => {
    const { config } = trigger;
    // What former holders' connections still move must not count as this one's use.
    meter.freshCell(config.name);
    trigger.used = meter.present(config.name).used;
    try {
      trigger.way = ways.open(config, host, trigger.link);
      // What kept an earlier call from opening anything is over.
      armed(trigger);
    } catch (error) {
      armed(trigger, toFailure(error));
    }
    watchTime();
  };

  const close = (trigger: FlowTrigger) => {
    if (trigger.way !== null) ways.close(trigger.config, trigger.way);
    trigger.way = null;
    trigger.orphaned = false;
    // A port that could not be opened is forgotten with the opening.
    armed(trigger);
  };

  const act = (trigger: FlowTrigger, outcome: ClaimOutcome) => {
    trigger.news.tell(outcome, now());
    switch (outcome.is) {
      case 'opened':
        // Opened by hand for the host that has it already: only the time is new.
        if (trigger.way !== null) close(trigger);
        open(trigger, outcome.host);
        break;
      case 'taken_over':
        close(trigger);
        open(trigger, outcome.host);
        break;
      case 'closed':
        close(trigger);
        break;
      case 'refreshed':
        break;
      case 'refused':
        return;
    }
    publish(trigger);
  };

  const touch = (trigger: FlowTrigger, host: string, atMs: number) => {
    if (!trigger.claims.touch(host, atMs)) return;
    trigger.news.refreshed(host, now());
    publish(trigger);
  };

  /** Whatever went through what is open since the last look was the holder's use. */
  const noteUse = (trigger: FlowTrigger) => {
    const { holder } = trigger.claims;
    if (holder === null) return;
    const { used, atMs } = meter.present(trigger.config.name);
    if (used !== trigger.used) touch(trigger, holder, atMs ?? now());
    trigger.used = used;
  };

  const end = (trigger: FlowTrigger) => {
    noteUse(trigger);
    const closed = trigger.claims.tick(now());
    if (closed !== null) act(trigger, closed);
  };

  /** A gateway's counts are read only now and then: nothing closes for want of use that was merely not read yet. */
  const askThenEnd = async (trigger: FlowTrigger) => {
    await atMost(longestAskMs, options.recount()).catch(() => {});
    trigger.asking = null;
    if (triggers.get(trigger.config.name) === trigger) end(trigger);
  };

  const expire = (trigger: FlowTrigger) => {
    const { nextTick } = trigger.claims;
    if (nextTick === null || now() < nextTick || trigger.asking !== null) return;
    if (trigger.config.via === 'nftables') trigger.asking = askThenEnd(trigger);
    else end(trigger);
  };

  const look = () => {
    timer = null;
    for (const trigger of triggers.values()) {
      noteUse(trigger);
      const claim = trigger.claims.current(now());
      // The clock of the wall was set: the end is another time now, though no nearer.
      if (claim !== null && Math.abs(wallMs(claim.expiresAt) - trigger.toldEndMs) > clockSetMs) publish(trigger);
      expire(trigger);
    }
    watchTime();
  };

  /** Looks again when the next one ends, and now and then before; not at all while nothing is open. */
  function watchTime(): void {
    if (timer !== null) return;
    const ends = [...triggers.values()].flatMap(({ claims, asking }) =>
      asking === null ? (claims.nextTick ?? []) : [],
    );
    const open = [...triggers.values()].some(({ claims }) => claims.nextTick !== null);
    if (open) timer = setTimeout(look, Math.max(1, Math.min(lookEveryMs, ...ends.map((at) => at - now()))));
  }

  const onCall = (call: Call): void => {
    const trigger = triggers.get(call.trigger);
    if (trigger === undefined) return;
    if (call.still) {
      touch(trigger, call.host, now());
      return;
    }
    expire(trigger);
    // Whether somebody else may have it is not known yet.
    if (trigger.asking !== null) {
      void trigger.asking.then(() => onCall(call));
      return;
    }
    const obstacle = ways.obstacle(trigger.config, call.host) ?? ways.withoutLink(trigger.config, call.link);
    if (obstacle !== null) {
      // A host that nothing can open for takes the port from nobody.
      if (trigger.way === null) armed(trigger, obstacle.failure);
      return;
    }
    const outcome = trigger.claims.claim(call.host, now());
    if (outcome.is === 'opened' || outcome.is === 'taken_over') trigger.link = call.link;
    act(trigger, outcome);
  };

  const adopt = (trigger: FlowTrigger) => {
    const { name } = trigger.config;
    const old = kept.get(name);
    kept.delete(name);
    if (old === undefined || old.expiresAtMs <= now()) return;
    trigger.claims.adopt({ host: old.host, openedAt: old.openedAtMs, expiresAt: old.expiresAtMs });
    trigger.link = old.link;
    if (ways.withoutLink(trigger.config, old.link) !== null) {
      trigger.orphaned = true;
      watchTime();
    } else {
      open(trigger, old.host);
    }
    publish(trigger);
  };

  const named = (name: string): FlowTrigger => {
    const trigger = triggers.get(name);
    if (trigger === undefined)
      throw new SallyportError('not_found', `no armed trigger is called ${name}`, `sallyport up ${name} arms it`);
    return trigger;
  };

  const watches = (): TriggerWatch[] =>
    [...triggers.values()].map(({ config }) => ({
      name: config.name,
      on: triggerSets(config.on),
      from: config.from ?? [],
      to: config.to ?? [],
    }));

  return {
    /** Takes those over that are to be armed. */
    update(wanted: ReadonlyMap<string, Trigger>): void {
      for (const [name, trigger] of triggers) {
        const next = wanted.get(name);
        if (next !== undefined && rulePart(next) === rulePart(trigger.config)) continue;
        const closed = trigger.claims.close(next === undefined ? 'taken_down' : 'changed');
        if (closed !== null) act(trigger, closed);
        triggers.delete(name);
        onStatus(name, { is: 'closed' });
      }
      for (const [name, config] of wanted) {
        if (triggers.has(name)) continue;
        const trigger: FlowTrigger = {
          config,
          claims: new Claims({
            idleMs: parseDuration(config.idle),
            second: config.second,
            maxOpenMs: config.maxOpen === undefined ? null : parseDuration(config.maxOpen),
          }),
          news: new HolderNews(config, options),
          armedAt: new Date().toISOString(),
          link: null,
          way: null,
          orphaned: false,
          toldEndMs: 0,
          used: 0,
          asking: null,
        };
        triggers.set(name, trigger);
        armed(trigger);
        adopt(trigger);
      }
      options.watch(watches());
    },

    watches,

    has: (name: string): boolean => triggers.has(name),

    /** @throws SallyportError `not_found` */
    config: (name: string): Trigger => named(name).config,

    onCall,

    /** How what runs for a way that a trigger opened does. */
    onRun(id: string, status: ListenerStatus): void {
      const trigger = triggers.get(id.slice(0, id.indexOf('/')));
      const way = trigger?.way ?? null;
      if (trigger === undefined || way === null || !noteRun(way, id, status)) return;
      armed(trigger, troubleOf(way) ?? undefined);
      publish(trigger);
    },

    /** How the gateway does that a trigger opens through. */
    onGate(name: string, status: ListenerStatus): void {
      const trigger = triggers.get(name);
      const way = trigger?.way ?? null;
      if (trigger === undefined || way === null) return;
      way.gateDown = status.is === 'failed' || status.is === 'retrying' ? status.error : null;
      publish(trigger);
    },

    /** A link came up: what was open over it before a restart opens again. */
    onLinkUp(link: string): void {
      for (const trigger of triggers.values()) {
        if (!trigger.orphaned || trigger.link !== link) continue;
        trigger.orphaned = false;
        const host = trigger.claims.current(now())?.host;
        if (host !== undefined) open(trigger, host);
      }
    },

    /** Opens it by hand, for the idle time unless told otherwise. */
    open(name: string, host: string, forMs: number | undefined): void {
      const trigger = named(name);
      const { config } = trigger;
      const obstacle = ways.obstacle(config, host) ?? ways.withoutLink(config, trigger.link);
      if (obstacle !== null) throw obstacle;
      act(trigger, trigger.claims.openManually(host, forMs ?? parseDuration(config.idle), now()));
    },

    close(name: string): void {
      const trigger = named(name);
      const closed = trigger.claims.close();
      if (closed !== null) act(trigger, closed);
    },

    /** What a call of `host` would do, whatever hosts the trigger listens to. */
    trial(name: string, host: string): TriggerTrial {
      const { config, claims } = named(name);
      const obstacle = ways.obstacle(config, host);
      return obstacle === null ? claims.trial(host, now()) : { would: 'refuse', why: obstacle.failure.message };
    },

    stop(): void {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
