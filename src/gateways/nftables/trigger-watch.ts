// Reads once a second who holds what, and tells the difference. The kernel opens and closes by itself; this only looks,
// and ends what conntrack would keep going.

import { cidrMatcher } from '../../model/cidr.ts';
import { SallyportError } from '../../model/errors.ts';
import { formatPortRange } from '../../model/ports.ts';
import type { TriggerTrial } from '../../model/reports.ts';
import type { Opening, TriggerHistory } from '../../model/snapshot.ts';
import type { ExternalSide } from './conntrack.ts';
import type { FlowTable } from './flow-table.ts';
import { type PlacedTrigger, triggerId, triggerSets } from './kernel-triggers.ts';
import type { TableKeeper } from './table-keeper.ts';
import type { TimedElement } from './table-state.ts';
import { checkedAddress, familyOf } from './values.ts';

export interface TriggerReports {
  /** What a trigger has open; empty once it is over. */
  state(name: string, opened: readonly Opening[]): void;
  event(name: string, event: TriggerHistory): void;
  /** The holder used it, so that it stays open longer; told now and then, not for every packet. */
  refreshed(name: string, host: string): void;
}

interface Holder {
  readonly host: string;
  /** By the monotonic clock. */
  readonly expiresAt: number;
}

interface Watched {
  /** By IP version. */
  holders: Map<4 | 6, Holder>;
  refused: Set<string>;
  told: readonly Opening[];
  refreshedAt: number;
}

const versions = [4, 6] as const;
const refreshedEveryMs = 30_000;

export class TriggerWatch {
  readonly #keeper: TableKeeper;
  readonly #flows: FlowTable;
  readonly #reports: TriggerReports;
  #triggers: readonly PlacedTrigger[] = [];
  #watched = new Map<string, Watched>();
  /** Triggers closed by hand since the last look. */
  #byHand = new Set<string>();

  constructor(keeper: TableKeeper, flows: FlowTable, reports: TriggerReports) {
    this.#keeper = keeper;
    this.#flows = flows;
    this.#reports = reports;
  }

  get armed(): boolean {
    return this.#triggers.length > 0;
  }

  /** Takes the triggers now in the kernel; what is open already is taken over without an event. */
  async follow(triggers: readonly PlacedTrigger[]): Promise<void> {
    const before = this.#triggers;
    this.#triggers = triggers;
    const present = new Map(triggers.map((trigger) => [trigger.name, ruleOf(trigger)]));
    for (const old of before) {
      const rule = present.get(old.name);
      if (rule === ruleOf(old)) continue;
      // whoever held it may not have got it by the rule as it is now
      if (rule !== undefined) await this.#empty(old.name);
      await this.#end(old, rule === undefined ? 'it was taken down' : 'its rule was changed');
    }
    if (triggers.length > 0) await this.look();
  }

  /** Tells that it is over for whoever holds it. */
  async #end(trigger: PlacedTrigger, why: string): Promise<void> {
    const { name } = trigger;
    const { holders = new Map<4 | 6, Holder>(), told = [] } = this.#watched.get(name) ?? {};
    this.#watched.delete(name);
    for (const { host } of holders.values()) {
      this.#tell(name, host, 'closed', why);
      await this.#endFlows(trigger, host);
    }
    if (told.length > 0) this.#reports.state(name, []);
  }

  /** External sides of everything that may be open, for the flows through it. */
  sides(): ExternalSide[] {
    return this.#triggers.flatMap((trigger) => {
      const holders = [...(this.#watched.get(trigger.name)?.holders.values() ?? [])].map(({ host }) => host);
      return [
        ...sidesOf(trigger, '0.0.0.0', trigger.address),
        ...sidesOf(trigger, '::', trigger.address),
        ...holders.flatMap((host) => sidesOf(trigger, host, host)),
      ];
    });
  }

  /** One look at the kernel; reports what changed. */
  async look(): Promise<void> {
    const sets = await this.#keeper.timedSets();
    if (sets === null) return;
    for (const trigger of this.#triggers) await this.#lookAt(trigger, sets);
  }

  async #lookAt(trigger: PlacedTrigger, sets: ReadonlyMap<string, readonly TimedElement[]>): Promise<void> {
    const { name } = trigger;
    const before = this.#watched.get(name);
    const seen: Watched = {
      holders: new Map(),
      refused: new Set(),
      told: before?.told ?? [],
      refreshedAt: before?.refreshedAt ?? Number.NEGATIVE_INFINITY,
    };
    for (const v of versions) {
      const holder = await this.#holder(trigger, v, sets);
      if (holder !== null) seen.holders.set(v, holder);
      for (const { value } of sets.get(triggerSets(triggerId(name), v).refused) ?? []) seen.refused.add(value);
    }
    this.#watched.set(name, seen);
    const byHand = this.#byHand.delete(name);
    if (before !== undefined) {
      for (const v of versions) await this.#compare(trigger, before, seen, v, byHand);
      for (const host of seen.refused) {
        if (!before.refused.has(host)) {
          const [holder] = [...seen.holders.values()].map((one) => one.host);
          this.#tell(name, host, 'refused', holder === undefined ? 'another host held it' : `${holder} holds it`);
        }
      }
    }
    const opened = this.#openings(trigger, seen);
    if (moved(seen.told, opened)) {
      seen.told = opened;
      this.#reports.state(name, opened);
    }
  }

  async #holder(
    trigger: PlacedTrigger,
    v: 4 | 6,
    sets: ReadonlyMap<string, readonly TimedElement[]>,
  ): Promise<Holder | null> {
    const names = triggerSets(triggerId(trigger.name), v);
    const hosts = sets.get(names.host) ?? [];
    let [current] = hosts;
    if (current === undefined) return null;
    if (trigger.second === 'last') {
      const owner = await this.#keeper.mapValue(names.owner);
      current = hosts.find(({ value }) => value === owner);
      // where nothing is translated, hosts that lost it would stay within reach
      const lost = hosts.filter((host) => host !== current).map(({ value }) => value);
      if (lost.length > 0) {
        await this.#keeper.edit(`delete element inet TABLE ${names.host} { ${lost.join(', ')} }\n`).catch(() => {});
        current = (await this.#returned(trigger, names, lost)) ?? current;
      }
      if (current === undefined) return null;
    }
    let expiresMs = current.expiresMs;
    if (trigger.maxOpenMs !== null) {
      const [gate] = sets.get(names.gate) ?? [];
      if (gate === undefined) return null;
      expiresMs = Math.min(expiresMs, gate.expiresMs);
    }
    // the kernel tells whole seconds, cut off
    return { host: current.value, expiresAt: performance.now() + expiresMs + 500 };
  }

  /** One of the hosts just taken out may have called again meanwhile: it holds the port, so it goes back in. */
  async #returned(
    { idleMs }: PlacedTrigger,
    { host, owner }: ReturnType<typeof triggerSets>,
    lost: readonly string[],
  ): Promise<TimedElement | undefined> {
    const value = await this.#keeper.mapValue(owner);
    if (value === null || !lost.includes(value)) return undefined;
    await this.#keeper.edit(`add element inet TABLE ${host} { ${value} timeout ${idleMs}ms }\n`);
    return { value, timeoutMs: idleMs, expiresMs: idleMs };
  }

  async #compare(trigger: PlacedTrigger, before: Watched, seen: Watched, v: 4 | 6, byHand: boolean): Promise<void> {
    const had = before.holders.get(v);
    const has = seen.holders.get(v);
    const { name } = trigger;
    if (had !== undefined && has?.host === had.host) {
      if (has.expiresAt - had.expiresAt > 700 && performance.now() - seen.refreshedAt > refreshedEveryMs) {
        seen.refreshedAt = performance.now();
        this.#reports.refreshed(name, has.host);
      }
      return;
    }
    // between two looks one host's time may run out and another's begin
    const handed = had !== undefined && has !== undefined && (byHand || trigger.second === 'last');
    if (had !== undefined && !handed) {
      const early = had.expiresAt - performance.now() > 2000;
      this.#tell(name, had.host, 'closed', byHand ? 'by hand' : early ? 'taken away' : closedWhy(trigger));
    }
    if (has !== undefined) {
      const why = byHand ? 'by hand' : handed ? `it called out after ${had.host}` : 'it called out';
      this.#tell(name, has.host, handed ? 'taken_over' : 'opened', why);
    }
    if (had !== undefined) await this.#endFlows(trigger, had.host);
    if (has !== undefined) {
      await this.#flows.rebindUdp(sidesOf(trigger, has.host, trigger.address));
    }
  }

  #tell(name: string, host: string, what: TriggerHistory['what'], why: string): void {
    this.#reports.event(name, { at: new Date().toISOString(), host, what, why });
  }

  /** Connections to a host that holds it no longer: UDP has no end of its own, TCP goes on unless told otherwise. */
  async #endFlows(trigger: PlacedTrigger, host: string): Promise<void> {
    const fits = (proto: string, port: number) =>
      trigger.open.some((range) => range.proto === proto && port >= range.first && port <= range.last);
    await this.#flows.forget(
      ({ proto, original, reply }) => reply.src === host && fits(proto, original.dport),
      trigger.closeFlows ? undefined : 'udp',
    );
  }

  #openings({ open }: PlacedTrigger, { holders }: Watched): Opening[] {
    return [...holders.values()].flatMap(({ host, expiresAt }) =>
      open.map((range) => ({
        proto: range.proto,
        ports: formatPortRange(range),
        host,
        expiresAt: new Date(Date.now() + expiresAt - performance.now()).toISOString(),
      })),
    );
  }

  #find(name: string): PlacedTrigger {
    const trigger = this.#triggers.find((one) => one.name === name);
    if (trigger === undefined) {
      throw new SallyportError('not_found', `trigger ${name} is not armed in the kernel`, `sallyport up ${name}`);
    }
    return trigger;
  }

  /** Opens for a host as if it had called, for `forMs` and longer if it is used then. Whoever held it loses it. */
  async open(name: string, host: string, forMs: number): Promise<void> {
    const trigger = this.#find(name);
    const address = checkedAddress(host);
    const v = familyOf(address) === 'ipv4' ? 4 : 6;
    const sets = triggerSets(triggerId(name), v);
    const time = `timeout ${Math.max(1000, Math.round(forMs))}ms`;
    const lines = [
      ...emptied(sets),
      `add element inet TABLE ${sets.host} { ${address} ${time} }`,
      `add element inet TABLE ${sets.owner} { ipv${v} ${time} : ${address} }`,
    ];
    if (trigger.maxOpenMs !== null) {
      lines.push(`add element inet TABLE ${sets.gate} { ipv${v} timeout ${Math.max(forMs, trigger.maxOpenMs)}ms }`);
    }
    // until no more than the idle time is left, use must not shorten it to that
    const pinMs = Math.round(forMs - trigger.idleMs);
    if (pinMs > 0) lines.push(`add element inet TABLE ${sets.pin} { ipv${v} timeout ${pinMs}ms }`);
    await this.#keeper.edit(`${lines.join('\n')}\n`);
    this.#byHand.add(name);
    await this.look();
  }

  async trial(name: string, host: string): Promise<TriggerTrial> {
    const trigger = this.#find(name);
    const address = checkedAddress(host);
    const v = familyOf(address) === 'ipv4' ? 4 : 6;
    await this.look();
    if (trigger.from.length > 0 && !cidrMatcher(trigger.from)(address)) {
      return { would: 'refuse', why: `${address} is not in ${trigger.from.join(', ')}` };
    }
    const holder = this.#watched.get(name)?.holders.get(v)?.host;
    if (holder === undefined) return { would: 'open', why: 'nobody holds it' };
    if (holder === address) return { would: 'refresh', why: `${address} holds it already` };
    return trigger.second === 'first'
      ? { would: 'refuse', why: `${holder} holds it until it is idle` }
      : { would: 'take_over', why: `the last caller has it, and ${holder} holds it now` };
  }

  async close(name: string): Promise<void> {
    this.#find(name);
    await this.#empty(name);
    this.#byHand.add(name);
    await this.look();
    this.#byHand.delete(name);
  }

  async #empty(name: string): Promise<void> {
    const lines = versions.flatMap((v) => emptied(triggerSets(triggerId(name), v)));
    await this.#keeper.edit(`${lines.join('\n')}\n`);
  }
}

/** A trigger without where it was placed, which changes with the machine's routes and is no change of the rule. */
const ruleOf = ({ outside: _outside, address: _address, ...rule }: PlacedTrigger): string => JSON.stringify(rule);

const emptied = (sets: ReturnType<typeof triggerSets>) => [
  `flush set inet TABLE ${sets.host}`,
  `flush map inet TABLE ${sets.owner}`,
  `flush set inet TABLE ${sets.gate}`,
  `flush set inet TABLE ${sets.pin}`,
];

function closedWhy({ maxOpenMs, idleMs }: PlacedTrigger): string {
  return maxOpenMs === null
    ? `idle for ${idleMs / 1000} s`
    : `idle for ${idleMs / 1000} s, or open for ${maxOpenMs / 1000} s`;
}

function sidesOf({ name, open }: PlacedTrigger, internal: string, external: string | null): ExternalSide[] {
  if (external !== null && familyOf(external) !== familyOf(internal)) return [];
  return open.map(({ proto, first, last }) => ({
    owner: name,
    proto,
    external: { address: external, first, last },
    internal: { address: internal, first },
  }));
}

/** Whether the openings differ by more than the coarseness of the kernel's clock. */
function moved(before: readonly Opening[], after: readonly Opening[]): boolean {
  if (before.length !== after.length) return true;
  return after.some((opening, i) => {
    const was = before[i];
    return (
      was === undefined ||
      was.host !== opening.host ||
      was.proto !== opening.proto ||
      was.ports !== opening.ports ||
      Math.abs(Date.parse(was.expiresAt) - Date.parse(opening.expiresAt)) > 1400
    );
  });
}
