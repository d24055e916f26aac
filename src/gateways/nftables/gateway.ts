import { createHash } from 'node:crypto';
import { type Failure, type SallyportError, toFailure } from '../../model/errors.ts';
import type { InputFirewall } from '../../model/firewall.ts';
import type { TriggerTrial } from '../../model/reports.ts';
import type { Gateway, GatewayReports, GatewayRule } from '../gateway.ts';
import { buildRuleset } from './build.ts';
import { checkRules } from './check-rules.ts';
import { checkTriggers } from './check-triggers.ts';
import { createKernel } from './command.ts';
import { FlowTable } from './flow-table.ts';
import { readInputFirewall } from './input/read.ts';
import type { KernelTrigger } from './kernel-triggers.ts';
import { type MachineLinks, machineLinks } from './links.ts';
import { ruleId } from './mappings.ts';
import { OwnerCounts } from './owner-counts.ts';
import { repeat } from './repeat.ts';
import { fullText } from './ruleset.ts';
import { serial } from './serial.ts';
import { reportStanding, type Standing } from './standing.ts';
import { Statuses } from './statuses.ts';
import { type Made, TableKeeper } from './table-keeper.ts';
import { type TriggerReports, TriggerWatch } from './trigger-watch.ts';

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
  /** What a call of this host would do. */
  tryTrigger(name: string, host: string): Promise<TriggerTrial>;
  /** Reads now who holds what, rather than within the second. */
  lookAtTriggers(): Promise<void>;
  /** Why mappings cannot be made here; null where they can. */
  available(): Promise<Failure | null>;
  /**
   * What the packet filters of this machine let in to its own ports, as they stand now.
   * @throws SallyportError `gateway_missing`, `gateway_denied`
   */
  inputFirewall(): Promise<InputFirewall>;
  /** The table as it would be loaded for these rules; refused ones are left out. */
  preview(rules: readonly GatewayRule[], triggers?: readonly KernelTrigger[]): string;
  /** Takes away the tables of every engine on this machine. */
  uninstall(): Promise<void>;
}

const ours = /^sallyport_[A-Za-z0-9_]+$/;

const silent: TriggerReports = { state: () => {}, event: () => {}, refreshed: () => {} };

/** Table name of an instance; a name nft cannot spell is hashed. */
function tableName(instance: string): string {
  const plain = /^[A-Za-z0-9_]{1,40}$/.test(instance);
  return `sallyport_${plain ? instance : createHash('sha256').update(instance).digest('hex').slice(0, 16)}`;
}

export function createNftablesGateway(options: NftablesOptions): NftablesGateway {
  const { reports, watchMs = 2000 } = options;
  const kernel = createKernel(options);
  const table = tableName(options.instance);
  const keeper = new TableKeeper(kernel, table);
  const flowTable = new FlowTable(kernel);
  const counts = new OwnerCounts(keeper, flowTable);
  const statuses = new Statuses(reports);
  const exclusive = serial();
  const triggerWatch = new TriggerWatch(keeper, flowTable, options.triggerReports ?? silent);
  let wantedTriggers: readonly KernelTrigger[] = [];
  let standing: Standing | null = null;
  let watch: (() => void) | null = null;
  let ownersWatch: (() => void) | null = null;
  let beats = 0;
  let trouble = '';
  let nextLook = 0;

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
    counts.renew(standing);
    await triggerWatch.follow(triggers);
    flowTable.sides = [...rules, ...triggerWatch.sides()];

    const had = before?.rules ?? [];
    const known = new Map(had.map((rule) => [ruleId(rule), JSON.stringify(rule)]));
    const added = made === 'adopted' ? [] : rules.filter((rule) => known.get(ruleId(rule)) !== JSON.stringify(rule));
    const now = new Set(rules.map(ruleId));
    const armed = new Set(triggers.map(({ name }) => name));
    const gone = [
      ...had.filter((rule) => !now.has(ruleId(rule))),
      ...sidesBefore.filter(({ owner }) => !armed.has(owner)),
    ];
    await tidyFlows(async () => {
      await flowTable.end(gone);
      await flowTable.rebindUdp(added);
    });
    await reportStanding(kernel, ours, standing, statuses);
  }

  /** What the rules say stands even where running connections could not be touched; that is said, not fatal. */
  async function tidyFlows(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { message, hint } = toFailure(error);
      reports.note('warn', null, 'gateway_flows', `running connections were left as they are: ${message} (${hint})`);
    }
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
    counts.renew(null);
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

  function startWatch(): void {
    watch ??= repeat(watchMs, () => exclusive(beat).catch(troubled));
    if (!triggerWatch.armed && ownersWatch !== null) {
      ownersWatch();
      ownersWatch = null;
    }
    if (triggerWatch.armed) ownersWatch ??= repeat(1000, () => exclusive(() => lookAtOwners()).catch(troubled));
  }

  function stopWatch(): void {
    watch?.();
    ownersWatch?.();
    watch = null;
    ownersWatch = null;
  }

  async function lookAtOwners(atOnce = false): Promise<void> {
    const started = performance.now();
    if (standing === null || ownersWatch === null || (started < nextLook && !atOnce)) return;
    await triggerWatch.look();
    // listing sets takes nft as long as the table is large
    nextLook = performance.now() + 8 * (performance.now() - started) - 1000;
    flowTable.sides = [...standing.rules, ...triggerWatch.sides()];
  }

  /** Watching goes on whatever one look ran into; the same trouble is told once. */
  function troubled(error: unknown): void {
    const { message } = toFailure(error);
    if (message === trouble) return;
    trouble = message;
    reports.note('warn', null, 'gateway_watch', `looking after the kernel rules: ${message}`);
  }

  async function beat(): Promise<void> {
    if (standing === null || watch === null) return;
    beats += 1;
    const closely = beats % 5 === 0;
    if (!(await keeper.intact(closely))) {
      await keeper.remake();
      reports.note(
        'warn',
        null,
        'gateway_flushed',
        'another program took our kernel rules away; they are in place again',
      );
      const { rules } = standing;
      await tidyFlows(() => flowTable.rebindUdp(rules));
    }
    if (!closely) return;
    const links = await machineLinks(kernel);
    if (JSON.stringify(links) !== JSON.stringify(standing.links)) await install(standing.rules, wantedTriggers);
    else await reportStanding(kernel, ours, standing, statuses);
  }

  return {
    name: 'nftables',
    sync: (rules, triggers) => exclusive(() => sync(rules, triggers ?? wantedTriggers)),
    openTrigger: (name, host, forMs) => exclusive(() => triggerWatch.open(name, host, forMs)),
    closeTrigger: (name) => exclusive(() => triggerWatch.close(name)),
    tryTrigger: (name, host) => exclusive(() => triggerWatch.trial(name, host)),
    counters: (fresh = false) => exclusive(async () => (standing === null ? new Map() : counts.read(standing, fresh))),
    lookAtTriggers: () => exclusive(() => lookAtOwners(true)),
    flows: (owner) => exclusive(() => flowTable.flows(owner)),
    peers: () => exclusive(() => flowTable.peers()),
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
        await kernel.list('-t', 'list', 'tables');
        await kernel.conntrack(['-C']);
        return null;
      } catch (error) {
        return toFailure(error);
      }
    },
    inputFirewall: () => readInputFirewall(kernel, ours),
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
        const tables = (await kernel.list('-t', 'list', 'tables')) ?? [];
        for (const { table: found } of tables) {
          if (found?.family !== 'inet' || !ours.test(String(found.name))) continue;
          await kernel.apply(`add table inet ${found.name}\ndelete table inet ${found.name}\n`);
        }
      }),
  };
}
