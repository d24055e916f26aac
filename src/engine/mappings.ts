// Mappings that somebody else performs: the kernel, or the router. Turns forwards and opened triggers into rules, follows
// internal hosts that move, and hands each gateway all it should hold whenever that changes.
import type { Gateway, GatewayCounters, GatewayRule } from '../gateways/gateway.ts';
import type { NftablesGateway } from '../gateways/nftables/gateway.ts';
import type { KernelTrigger } from '../gateways/nftables/kernel-triggers.ts';
import type { RouterGateway } from '../gateways/router/router.ts';
import { isOwnAddress, lanAddress } from '../machine/interfaces.ts';
import { listeners } from '../machine/sockets.ts';
import { addressReach } from '../model/cidr.ts';
import type { Config, Mapping } from '../model/config.ts';
import { type Failure, toFailure } from '../model/errors.ts';
import type { EventLevel } from '../model/event.ts';
import { transports } from '../model/ports.ts';
import type { ListenerStatus } from '../model/state.ts';
import { GatewayWatch } from './gateway-watch.ts';
import { InternalHosts } from './internal-hosts.ts';
import { baseRule, kernelRules } from './mapping-rules.ts';
import type { Meter } from './meter.ts';
import type { Runs } from './runs.ts';

type GatewayName = Gateway['name'];

export interface MappingsOptions {
  readonly gateways: { readonly nftables: NftablesGateway; readonly router: RouterGateway };
  readonly runs: Runs;
  readonly meter: Meter;
  readonly onStatus: (owner: string, status: ListenerStatus) => void;
  readonly note: (level: EventLevel, owner: string, code: string, message: string) => void;
}

export type Mappings = ReturnType<typeof createMappings>;

const names: readonly GatewayName[] = ['nftables', 'router'];
const noCounts: ReadonlyMap<string, GatewayCounters> = new Map();

/** The run that carries a router's connections on to another machine. */
const relayId = (name: string) => `${name}/relay`;

export function createMappings(options: MappingsOptions) {
  const { gateways, runs } = options;
  let wanted: readonly Mapping[] = [];
  /** Rules of triggers that are open now. */
  const extra = new Map<string, { readonly via: GatewayName; readonly rules: readonly GatewayRule[] }>();
  /** Whether a gateway was ever given a rule, or may hold some from before. */
  const used = new Set<GatewayName>();
  const syncing = new Map<GatewayName, Promise<void>>();
  const dirty = new Set<GatewayName>();
  /** Owners whose rules go with the next round; what they have counted by then is read before. */
  const leaving = { nftables: new Set<string>(), router: new Set<string>() };
  /** How the relays behind router mappings do. */
  const relays = new Map<string, ListenerStatus>();
  /** Mappings left out of the next round, so that the one after makes them anew. */
  const paused = new Set<string>();
  let kernelTriggers: readonly KernelTrigger[] = [];
  const watch = new GatewayWatch(options.note);
  const hosts = new InternalHosts((mapping) => sync(mapping.via as GatewayName));
  let stopped = false;

  /** Whether a trigger has anything open in the kernel: what it counts there is what keeps it open. */
  const opened = (): boolean => [...extra.values()].some(({ via }) => via === 'nftables');

  const sync = (via: GatewayName): void => {
    if (stopped) return;
    dirty.add(via);
    if (syncing.has(via)) return;
    const run = async () => {
      while (dirty.delete(via) && !stopped) {
        // Else what a former engine left would be taken away, and made again when the host is known.
        await hosts.answered();
        const rules = await rulesOf(via);
        if (rules.length > 0 || (via === 'nftables' && kernelTriggers.length > 0)) used.add(via);
        if (!used.has(via)) continue;
        await lastCounts(via);
        if (via === 'nftables') await gateways.nftables.sync(rules, kernelTriggers);
        else await gateways.router.sync(rules);
      }
    };
    syncing.set(
      via,
      run()
        .catch((error: unknown) => failAll(via, toFailure(error)))
        .finally(() => {
          syncing.delete(via);
          if (dirty.has(via)) sync(via);
        }),
    );
  };

  const failAll = (via: GatewayName, error: Failure) => {
    for (const { name } of wanted.filter((mapping) => mapping.via === via))
      options.onStatus(name, { is: 'failed', error });
  };

  const rulesOf = async (via: GatewayName): Promise<GatewayRule[]> => {
    const rules: GatewayRule[] = [...extra.values()]
      .filter((entry) => entry.via === via)
      .flatMap((entry) => entry.rules);
    for (const mapping of wanted) {
      if (mapping.via !== via || paused.has(mapping.name)) continue;
      const host = hosts.of(mapping.name);
      if (host === null) continue;
      if (host.address === null) {
        if (host.failure !== null) {
          const nextTry = new Date(Date.now() + 15_000).toISOString();
          options.onStatus(mapping.name, { is: 'retrying', error: host.failure, nextTry });
        }
        continue;
      }
      rules.push(
        ...(via === 'nftables' ? kernelRules(mapping, host.address) : await routerRules(mapping, host.address)),
      );
    }
    return rules;
  };

  /** A router maps to this machine's own address; what is meant for another machine is relayed on from here. */
  const routerRules = async (mapping: Mapping, address: string): Promise<GatewayRule[]> => {
    const { listen, target } = mapping;
    const own = await lanAddress(address.includes(':') ? 6 : 4);
    const here = addressReach(address) === 'host' || isOwnAddress(address);
    const ports = { first: target.port, last: target.port + (listen.last ?? listen.port) - listen.port };
    const direct = here && (addressReach(address) !== 'host' || (await reachable(own, ports)));
    const request = {
      id: relayId(mapping.name),
      forward: {
        ...mapping,
        via: 'relay' as const,
        listen: { ...listen, address: own ?? '*' },
        target: { host: address, port: target.port },
      },
    };
    if (direct) {
      relays.delete(mapping.name);
      void runs.stop(request.id);
    } else {
      if (JSON.stringify(runs.requested(request.id)?.forward) !== JSON.stringify(request.forward)) {
        relays.delete(mapping.name);
        runs.start(request);
        const why = `a router maps to this machine only: from here it is relayed on to ${address}`;
        options.note('info', mapping.name, 'relayed', why);
      }
      // A port of the router that leads to nobody, or to another program here, is not asked for.
      if (relays.get(mapping.name)?.is !== 'open') return [];
    }
    return transports(mapping.proto).map((proto) => ({
      ...baseRule(mapping),
      proto,
      internal: {
        address: direct && addressReach(address) !== 'host' ? address : '',
        first: direct ? target.port : listen.port,
      },
    }));
  };

  return {
    /** Takes the configuration over: starts, changes and ends what differs. */
    update(config: Config): void {
      const before = wanted;
      wanted = config.forwards.filter(
        (forward): forward is Mapping => forward.kind === 'mapping' && forward.via !== 'relay' && forward.enabled,
      );
      const present = new Map(wanted.map((mapping) => [mapping.name, mapping]));
      const touched = new Set<GatewayName>();
      for (const old of before) {
        const now = present.get(old.name);
        if (now === old) continue;
        touched.add(old.via as GatewayName);
        if (now === undefined || now.via !== 'router') {
          relays.delete(old.name);
          void runs.stop(relayId(old.name));
        }
        if (now?.via === old.via) continue;
        leaving[old.via as GatewayName].add(old.name);
        if (now === undefined) options.onStatus(old.name, { is: 'closed' });
      }
      const known = new Map(before.map((mapping) => [mapping.name, mapping]));
      for (const mapping of wanted) {
        if (known.get(mapping.name) !== mapping) touched.add(mapping.via as GatewayName);
        if (!known.has(mapping.name)) options.onStatus(mapping.name, { is: 'opening' });
      }
      hosts.update(wanted);
      for (const via of touched) sync(via);
    },

    /** Rules an open trigger adds; none takes them away. */
    setExtra(owner: string, via: GatewayName, rules: readonly GatewayRule[]): void {
      if (rules.length === 0) {
        if (extra.delete(owner)) leaving[via].add(owner);
      } else extra.set(owner, { via, rules });
      sync(via);
    },

    setKernelTriggers(triggers: readonly KernelTrigger[]): void {
      const armed = new Set(triggers.map(({ name }) => name));
      for (const { name } of kernelTriggers) if (!armed.has(name)) leaving.nftables.add(name);
      kernelTriggers = triggers;
      sync('nftables');
    },

    /** Gateways that may hold something of ours from a former life are looked at even without a rule. */
    recover(via: GatewayName): void {
      used.add(via);
      sync(via);
    },

    /** Resolves once a gateway holds what was last wanted of it, or has failed to. */
    settled: async (via: GatewayName): Promise<void> => syncing.get(via),

    /** The rules of kernel mappings whose host is known now. */
    kernelRules: (): GatewayRule[] =>
      wanted.flatMap((mapping) => {
        const address = hosts.of(mapping.name)?.address ?? null;
        return mapping.via === 'nftables' && address !== null ? kernelRules(mapping, address) : [];
      }),
    /** A kernel mapping and the address of its host; null while that is not known. */
    kernelTarget(name: string): { readonly mapping: Mapping; readonly address: string } | null {
      const mapping = wanted.find((one) => one.name === name && one.via === 'nftables');
      const address = hosts.of(name)?.address ?? null;
      return mapping === undefined || address === null ? null : { mapping, address };
    },
    uses: (via: GatewayName): boolean => used.has(via),
    flows: async (owner: string | null) =>
      (await Promise.all(names.filter((via) => used.has(via)).map((via) => gateways[via].flows(owner)))).flat(),
    async kill(flow: string): Promise<boolean> {
      for (const via of names) if (used.has(via) && (await gateways[via].kill(flow))) return true;
      return false;
    },

    /** Resolves once the gateways hold what they should, or have failed to. */
    async caughtUp(): Promise<void> {
      await Promise.all([...syncing.values()]);
    },

    /** The relay behind a router mapping has changed. */
    onRelay(name: string, status: ListenerStatus): void {
      if (!wanted.some((mapping) => mapping.name === name && mapping.via === 'router')) return;
      const before = relays.get(name)?.is;
      relays.set(name, status);
      if (status.is === 'failed' || status.is === 'retrying') options.onStatus(name, status);
      if (before !== status.is) sync('router');
    },

    /** Makes these anew, also those a gateway has refused for good. */
    restart(which: readonly string[]): void {
      const mine = wanted.filter(({ name }) => which.includes(name));
      for (const { name } of mine) {
        paused.add(name);
        options.onStatus(name, { is: 'opening' });
        const relay = runs.requested(relayId(name));
        if (relay !== null) runs.start(relay);
      }
      for (const via of new Set(mine.map((mapping) => mapping.via as GatewayName))) {
        sync(via);
        void syncing.get(via)?.then(() => {
          for (const mapping of mine) if (mapping.via === via) paused.delete(mapping.name);
          sync(via);
        });
      }
    },

    opened,

    /** Reads the gateways' counters into the meter. */
    async count(): Promise<void> {
      for (const via of names) {
        if (!used.has(via) || stopped) continue;
        const counted = await gateways[via].counters(opened());
        if (stopped) return;
        const mine = owners(via);
        for (const [owner, counts] of counted) {
          // An answer may come after its forward has gone elsewhere; what it had counted by then is kept.
          if (!mine.has(owner)) continue;
          watch.counted(owner, counts, options.meter.lastOutside(owner), performance.now());
          options.meter.outside(owner, counts);
        }
        watch.seen((await gateways[via].peers?.()) ?? []);
      }
    },

    /** @param clear whether what is installed goes too */
    async stop(clear: boolean): Promise<void> {
      stopped = true;
      watch.stop();
      hosts.stop();
      await Promise.all([...syncing.values()]);
      await Promise.all(
        names.map(async (via) => {
          if (clear && used.has(via)) {
            const mine = owners(via);
            for (const [owner, counts] of await gateways[via].counters().catch(() => noCounts))
              if (mine.has(owner)) options.meter.outside(owner, counts);
            await gateways[via].clear();
            for (const owner of mine) options.meter.outside(owner, null);
          }
          await gateways[via].stop();
        }),
      );
    },
  };

  async function lastCounts(via: GatewayName): Promise<void> {
    const mine = owners(via);
    const gone = [...leaving[via]].filter((owner) => !mine.has(owner));
    leaving[via].clear();
    if (gone.length === 0) return;
    const counts = await gateways[via].counters().catch(() => noCounts);
    const known = new Set(options.meter.names());
    for (const owner of gone) {
      const last = counts.get(owner);
      // A forward that is removed for good has no totals any more.
      if (!known.has(owner)) continue;
      if (last !== undefined) options.meter.outside(owner, last);
      options.meter.outside(owner, null);
    }
  }

  /** Forwards whose traffic this gateway counts. */
  function owners(via: GatewayName): ReadonlySet<string> {
    const mappings = wanted.filter((mapping) => mapping.via === via).map(({ name }) => name);
    const opened = [...extra].filter(([, entry]) => entry.via === via).map(([owner]) => owner);
    return new Set([...mappings, ...opened, ...(via === 'nftables' ? kernelTriggers.map(({ name }) => name) : [])]);
  }
}

/** Whether something on this machine listens for others at these ports already. */
async function reachable(own: string | null, ports: { first: number; last: number }): Promise<boolean> {
  const open = await listeners();
  return open.some(
    ({ address, port }) =>
      port >= ports.first && port <= ports.last && (address === '0.0.0.0' || address === '::' || address === own),
  );
}
