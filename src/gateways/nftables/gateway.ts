import { createHash } from 'node:crypto';
import { type Failure, type SallyportError, toFailure } from '../../model/errors.ts';
import { formatPortRange, type Transport } from '../../model/ports.ts';
import type { ListenerStatus } from '../../model/state.ts';
import type { Gateway, GatewayCounters, GatewayReports, GatewayRule } from '../gateway.ts';
import { buildRuleset } from './build.ts';
import { checkRules } from './check-rules.ts';
import { checkTriggers } from './check-triggers.ts';
import { createKernel, type Kernel } from './command.ts';
import { payloadBytes } from './conntrack.ts';
import { FlowTable } from './flow-table.ts';
import { forwardObstacle } from './forward-chains.ts';
import { counterKinds, type KernelTrigger, type PlacedTrigger, triggerId } from './kernel-triggers.ts';
import { type MachineLinks, machineLinks } from './links.ts';
import { ruleId } from './mappings.ts';
import { fullText } from './ruleset.ts';
import { shownAt } from './shown.ts';
import { type Made, TableKeeper } from './table-keeper.ts';
import { type TriggerReports, TriggerWatch } from './trigger-watch.ts';
import { type Family, familyOf } from './values.ts';

export interface NftablesOptions {
  /** Tells engines on one machine apart; part of the table's name. */
  readonly instance: string;
  readonly reports: GatewayReports;
  readonly nft?: string;
  readonly conntrack?: string;
  /** Put before every command, as `['ip', 'netns', 'exec', NAME]` for another network namespace. */
  readonly prefix?: readonly string[];
  /** How often a foreign flush is looked for. */
  readonly watchMs?: number;
  readonly triggerReports?: TriggerReports;
}

export interface NftablesGateway extends Gateway {
  readonly name: 'nftables';
  /** Mappings and triggers in one transaction. Without `triggers` those known stay; an engine's first call names them. */
  sync(rules: readonly GatewayRule[], triggers?: readonly KernelTrigger[]): Promise<void>;
  /** Opens a trigger for a host as if it had called out, for so long. */
  openTrigger(name: string, host: string, forMs: number): Promise<void>;
  closeTrigger(name: string): Promise<void>;
  /** Reads now who holds what, rather than within the second. */
  lookAtTriggers(): Promise<void>;
  /** Why mappings cannot be made here; null where they can. */
  available(): Promise<Failure | null>;
  /** The table as it would be loaded for these rules; refused ones are left out. */
  preview(rules: readonly GatewayRule[], triggers?: readonly KernelTrigger[]): string;
  /** Takes away the tables of every engine on this machine. */
  uninstall(): Promise<void>;
}

const ours = /^sallyport_[A-Za-z0-9_]+$/;

const silent: TriggerReports = { state: () => {}, event: () => {}, refreshed: () => {} };

interface CounterKind {
  readonly family: Family;
  readonly proto: Transport;
  readonly suffix: string;
}

/** Table name of an instance; a name nft cannot spell is hashed. */
export function tableName(instance: string): string {
  const plain = /^[A-Za-z0-9_]{1,40}$/.test(instance);
  return `sallyport_${plain ? instance : createHash('sha256').update(instance).digest('hex').slice(0, 16)}`;
}

/** Everything that stands, or should. */
interface Standing {
  readonly rules: readonly GatewayRule[];
  readonly triggers: readonly PlacedTrigger[];
  readonly links: MachineLinks;
}

export function createNftablesGateway(options: NftablesOptions): NftablesGateway {
  const { reports, watchMs = 2000 } = options;
  const kernel = createKernel(options);
  const table = tableName(options.instance);
  const keeper = new TableKeeper(kernel, table);
  const flowTable = new FlowTable(kernel);
  const statuses = new Statuses(reports);
  const exclusive = serial();
  const triggerWatch = new TriggerWatch(keeper, flowTable, options.triggerReports ?? silent);
  let wantedTriggers: readonly KernelTrigger[] = [];
  let standing: Standing | null = null;
  let highWater = new Map<string, { rx: number; tx: number }>();
  let watch: NodeJS.Timeout | null = null;
  let ownersWatch: NodeJS.Timeout | null = null;
  let beats = 0;

  async function sync(wanted: readonly GatewayRule[], triggers: readonly KernelTrigger[]): Promise<void> {
    wantedTriggers = triggers;
    const { accepted, refused } = checkRules(wanted);
    for (const [owner, error] of refused) statuses.set(owner, { is: 'failed', error });
    statuses.keep(new Set([...wanted.map(({ owner }) => owner), ...triggers.map(({ name }) => name)]));
    if (accepted.length === 0 && triggers.length === 0) return removeAll();
    try {
      await install(accepted, triggers);
    } catch (error) {
      const held = new Set(
        [...(standing?.rules ?? []), ...(standing?.triggers ?? [])].map((one) => JSON.stringify(one)),
      );
      const fail = (owner: string) => statuses.set(owner, { is: 'failed', error: toFailure(error) });
      for (const rule of accepted) if (!held.has(JSON.stringify(rule))) fail(rule.owner);
      for (const { name } of triggers) if (!standing?.triggers.some((trigger) => trigger.name === name)) fail(name);
    }
    if (standing !== null) startWatch();
  }

  async function install(accepted: readonly GatewayRule[], wanted: readonly KernelTrigger[]): Promise<void> {
    const links = await machineLinks(kernel);
    const { accepted: triggers, refused } = checkTriggers(wanted, accepted, links);
    for (const [name, error] of refused) statuses.set(name, { is: 'failed', error });
    const before = standing;
    let rules = accepted;
    let made: Made;
    try {
      made = await keeper.make(buildRuleset(rules, triggers, links.networks));
    } catch (error) {
      rules = await sound(rules, links, error);
      made = await keeper.make(buildRuleset(rules, triggers, links.networks));
    }
    if (before === null) await countConnections();
    const sidesBefore = triggerWatch.sides();
    standing = { rules, triggers, links };
    await triggerWatch.follow(triggers);
    flowTable.sides = [...rules, ...triggerWatch.sides()];

    const had = before?.rules ?? [];
    const known = new Map(had.map((rule) => [ruleId(rule), JSON.stringify(rule)]));
    const added = made === 'adopted' ? [] : rules.filter((rule) => known.get(ruleId(rule)) !== JSON.stringify(rule));
    const now = new Set([...rules.map(ruleId), ...triggers.map(({ name }) => triggerId(name))]);
    const armed = new Set(triggers.map(({ name }) => name));
    await flowTable.end(had.filter((rule) => !now.has(ruleId(rule))));
    await flowTable.end(sidesBefore.filter(({ owner }) => !armed.has(owner)));
    await flowTable.rebindUdp(added);
    for (const id of highWater.keys()) if (!now.has(id)) highWater.delete(id);
    await reportAll();
  }

  /** The rules the kernel takes, tried one by one after it refused them together; the others are reported. */
  async function sound(rules: readonly GatewayRule[], links: MachineLinks, error: unknown): Promise<GatewayRule[]> {
    if ((error as SallyportError).code !== 'gateway_failed') throw error;
    const bad = new Set<string>();
    for (const rule of rules) {
      try {
        await keeper.check(buildRuleset([rule], [], links.networks));
      } catch (reason) {
        bad.add(rule.owner);
        statuses.set(rule.owner, { is: 'failed', error: toFailure(reason) });
      }
    }
    if (bad.size === 0) throw error;
    return rules.filter(({ owner }) => !bad.has(owner));
  }

  async function removeAll(): Promise<void> {
    stopWatch();
    const before = flowTable.sides;
    standing = null;
    highWater = new Map();
    await triggerWatch.follow([]);
    flowTable.sides = [];
    try {
      await keeper.remove();
      await flowTable.end(before);
    } catch (error) {
      // nothing is wanted: a machine without nft, or without the right to it, has nothing of ours either
      const { code } = toFailure(error);
      if (code !== 'gateway_missing' && code !== 'gateway_denied') throw error;
    }
  }

  /** Bytes of single connections are counted only where the kernel is told to. */
  async function countConnections(): Promise<void> {
    const setting = 'net.netfilter.nf_conntrack_acct';
    if ((await kernel.sysctl(setting)) !== '0') return;
    await kernel.setSysctl(setting, '1').catch(() => {});
    reports.note('info', null, 'gateway_setting', `${setting} set to 1, so that flows show their bytes`);
  }

  /** How each owner stands, going by what else on this machine decides about its packets. */
  async function reportAll(): Promise<void> {
    if (standing === null) return;
    const { rules, triggers, links } = standing;
    const here = new Set(links.addresses.map(({ address }) => address));
    const elsewhere = rules.map(({ internal }) => internal.address).filter((address) => !here.has(address));
    const forwarding = {
      ipv4: elsewhere.some((a) => familyOf(a) === 'ipv4') ? await forwardingOff(kernel, 'ipv4') : null,
      ipv6: elsewhere.some((a) => familyOf(a) === 'ipv6') ? await forwardingOff(kernel, 'ipv6') : null,
    };
    const targets = [...new Set(elsewhere)];
    const anyObstacle = await forwardObstacle(kernel, ours, targets);
    const byOwner = Map.groupBy(rules, ({ owner }) => owner);
    for (const [owner, mine] of byOwner) {
      const away = mine.map(({ internal }) => internal.address).filter((address) => !here.has(address));
      const off = away.map((address) => forwarding[familyOf(address)]).find((failure) => failure !== null);
      if (off !== undefined) {
        statuses.set(owner, { is: 'failed', error: off });
        continue;
      }
      const notice =
        anyObstacle === null || away.length === 0 ? null : await forwardObstacle(kernel, ours, [...new Set(away)]);
      statuses.open(owner, shownAt(mine), notice);
    }
    if (triggers.length === 0) return;
    const off = await forwardingOff(kernel, 'ipv4');
    const inTheWay = await forwardObstacle(kernel, ours, ['0.0.0.0', '::']);
    for (const { name, open } of triggers) {
      if (off !== null) statuses.set(name, { is: 'failed', error: off });
      else statuses.open(name, open.map((range) => `${range.proto}/${formatPortRange(range)}`).join(','), inTheWay);
    }
  }

  function startWatch(): void {
    watch ??= setInterval(() => void exclusive(beat).catch(() => {}), watchMs).unref();
    if (!triggerWatch.armed && ownersWatch !== null) {
      clearInterval(ownersWatch);
      ownersWatch = null;
    }
    if (triggerWatch.armed)
      ownersWatch ??= setInterval(() => void exclusive(lookAtOwners).catch(() => {}), 1000).unref();
  }

  function stopWatch(): void {
    if (watch !== null) clearInterval(watch);
    if (ownersWatch !== null) clearInterval(ownersWatch);
    watch = null;
    ownersWatch = null;
  }

  async function lookAtOwners(): Promise<void> {
    if (standing === null || ownersWatch === null) return;
    await triggerWatch.look();
    flowTable.sides = [...standing.rules, ...triggerWatch.sides()];
  }

  async function beat(): Promise<void> {
    if (standing === null || watch === null) return;
    if (!(await keeper.intact())) {
      await keeper.remake();
      reports.note(
        'warn',
        null,
        'gateway_flushed',
        'another program took our kernel rules away; they are in place again',
      );
      await flowTable.rebindUdp(standing.rules);
    }
    beats += 1;
    if (beats % 5 !== 0) return;
    const links = await machineLinks(kernel);
    if (JSON.stringify(links) !== JSON.stringify(standing.links)) await install(standing.rules, wantedTriggers);
    else await reportAll();
  }

  async function counters(): Promise<ReadonlyMap<string, GatewayCounters>> {
    if (standing === null) return new Map();
    const counts = await keeper.counters();
    const live = await flowTable.countByOwner();
    const result = new Map<string, GatewayCounters>();
    const add = (owner: string, id: string, kinds: readonly CounterKind[]) => {
      const of = (name: string) => counts.get(name) ?? { packets: 0, bytes: 0 };
      const sum = { rx: 0, tx: 0, flowsTotal: 0 };
      for (const { family, proto, suffix } of kinds) {
        const started = of(`${id}_new${suffix}`).packets;
        sum.rx += payloadBytes(family, proto, of(`${id}_out${suffix}`), started);
        sum.tx += payloadBytes(family, proto, of(`${id}_in${suffix}`), started);
        sum.flowsTotal += started;
      }
      const before = highWater.get(id) ?? { rx: 0, tx: 0 };
      // a header estimated too long must not make a total go back
      const total = { rx: Math.max(before.rx, sum.rx), tx: Math.max(before.tx, sum.tx) };
      highWater.set(id, total);
      const so = result.get(owner);
      result.set(owner, {
        rx: total.rx + (so?.rx ?? 0),
        tx: total.tx + (so?.tx ?? 0),
        flows: live.get(owner) ?? 0,
        flowsTotal: sum.flowsTotal + (so?.flowsTotal ?? 0),
        refused: of(`${id}_refused`).packets + (so?.refused ?? 0),
      });
    };
    for (const rule of standing.rules) {
      add(rule.owner, ruleId(rule), [{ family: familyOf(rule.internal.address), proto: rule.proto, suffix: '' }]);
    }
    for (const { name } of standing.triggers) {
      add(
        name,
        triggerId(name),
        counterKinds.map((kind) => ({ ...kind, suffix: `_${kind.suffix}` })),
      );
    }
    return result;
  }

  return {
    name: 'nftables',
    sync: (rules, triggers) => exclusive(() => sync(rules, triggers ?? wantedTriggers)),
    openTrigger: (name, host, forMs) => exclusive(() => triggerWatch.open(name, host, forMs)),
    closeTrigger: (name) => exclusive(() => triggerWatch.close(name)),
    lookAtTriggers: () => exclusive(lookAtOwners),
    counters: () => exclusive(counters),
    flows: (owner) => exclusive(() => flowTable.flows(owner)),
    kill: (flow) => exclusive(() => flowTable.kill(flow)),
    async clear() {
      wantedTriggers = [];
      await exclusive(removeAll);
      statuses.keep(new Set());
    },
    async stop() {
      stopWatch();
      await exclusive(async () => {});
    },
    async available() {
      try {
        await kernel.list('list', 'tables');
        await kernel.conntrack(['-C']);
        return null;
      } catch (error) {
        return toFailure(error);
      }
    },
    preview(rules, triggers = []) {
      const { accepted } = checkRules(rules);
      const links = standing?.links ?? { networks: [], addresses: [], defaultInterface: 'OUTSIDE' };
      const placed = checkTriggers(triggers, accepted, links).accepted;
      return fullText(table, 'preview', buildRuleset(accepted, placed, links.networks));
    },
    uninstall: () =>
      exclusive(async () => {
        wantedTriggers = [];
        await removeAll();
        const tables = (await kernel.list('list', 'tables')) ?? [];
        for (const { table: found } of tables) {
          if (found?.family !== 'inet' || !ours.test(String(found.name))) continue;
          await kernel.apply(`add table inet ${found.name}\ndelete table inet ${found.name}\n`);
        }
      }),
  };
}

async function forwardingOff(kernel: Kernel, family: 'ipv4' | 'ipv6'): Promise<Failure | null> {
  const setting = family === 'ipv4' ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
  if ((await kernel.sysctl(setting)) !== '0') return null;
  const name = family === 'ipv4' ? 'IP' : 'IPv6';
  return {
    code: 'gateway_failed',
    message: `${name} forwarding is off on this machine`,
    hint: `sysctl -w ${setting}=1`,
  };
}

/** Last status of each owner: reported when it changes, with the time it opened kept. */
class Statuses {
  readonly #reports: GatewayReports;
  readonly #last = new Map<string, ListenerStatus>();

  constructor(reports: GatewayReports) {
    this.#reports = reports;
  }

  set(owner: string, status: ListenerStatus): void {
    if (JSON.stringify(this.#last.get(owner)) === JSON.stringify(status)) return;
    this.#last.set(owner, status);
    this.#reports.status(owner, status);
  }

  open(owner: string, at: string, notice: Failure | null): void {
    const last = this.#last.get(owner);
    const since = last?.is === 'open' && last.at === at ? last.since : new Date().toISOString();
    this.set(owner, notice === null ? { is: 'open', at, since } : { is: 'open', at, since, notice });
  }

  /** Forgets owners no longer wanted, and says they are closed. */
  keep(owners: ReadonlySet<string>): void {
    for (const owner of [...this.#last.keys()]) {
      if (owners.has(owner)) continue;
      this.set(owner, { is: 'closed' });
      this.#last.delete(owner);
    }
  }
}

/** Runs tasks one after another; one that fails does not hold up the next. */
function serial(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task, task);
    last = next.catch(() => {});
    return next;
  };
}
