import {
  type AddressSet,
  addressNumber,
  everywhere,
  familyOf,
  type IpFamily,
  intersection,
  isMost,
  isSame,
  localNetworks,
  setReach,
  union,
} from '../../../model/address-set.ts';
import { normalAddress, type Reach, widerReach } from '../../../model/cidr.ts';
import type { InputFirewall } from '../../../model/firewall.ts';
import type { Transport } from '../../../model/ports.ts';
import type { Detours } from './detours.ts';
import { type BaseChain, distinctions, isInterface, type Packet, type Rule } from './rules.ts';
import { mayPass } from './walk.ts';
import type { WayIn } from './ways-in.ts';

export interface InputEvidence {
  /** The base chains at the input hook. */
  readonly chains: readonly BaseChain[];
  /** Those that translate connections before they come there. */
  readonly translations: readonly BaseChain[];
  /** Null where nobody can tell; only of use where a chain asks for the interface. */
  readonly ways: readonly WayIn[] | null;
  readonly detours: Detours;
}

/** Interfaces the chains treat alike, with the families in which all of them lead to local networks only. */
interface Entrance {
  readonly interface: string | null;
  readonly localOnly: ReadonlySet<IpFamily>;
}

/** One entrance for each way the chains tell apart; an interface they name that is not there may come back. */
function entrances(ways: readonly WayIn[] | null, names: ReadonlySet<string>): Entrance[] {
  const anywhere: Entrance = { interface: null, localOnly: new Set() };
  if (ways === null || names.size === 0) return [anywhere];
  const patterns = [...names];
  const absent = patterns
    .filter((name) => !ways.some((way) => isInterface(way.interface, name)))
    .map((name) => ({ interface: name, localOnly: new Set<IpFamily>() }));
  const alike = Map.groupBy([...ways, ...absent], (way) =>
    JSON.stringify([
      [...way.localOnly],
      ...patterns.filter((name) => way.interface === name || isInterface(way.interface, name)),
    ]),
  );
  const found = [...alike.values()].flatMap(([first]) => first ?? []);
  return found.length === 0 ? [anywhere] : found;
}

const nearest = (family: IpFamily, { localOnly }: Entrance): AddressSet =>
  localOnly.has(family) ? localNetworks[family] : everywhere[family];

/** A chain that translates as one that lets through what it may translate: that goes elsewhere, whatever the input hook says. */
function takingAway(chain: BaseChain): BaseChain {
  const chains = new Map<string, Rule[]>();
  for (const [name, rules] of chain.chains) {
    const taking = rules.map((rule): Rule => {
      const { is } = rule.verdict;
      if (is !== 'accept' && is !== 'unknown') return rule;
      return { ...rule, verdict: { is: is === 'accept' ? 'drop' : 'accept' } };
    });
    chains.set(name, taking);
  }
  return { ...chain, policy: 'drop', chains };
}

export function inputFirewall({ chains, translations, ways, detours }: InputEvidence): InputFirewall {
  const inner = chains.filter(
    ({ policy, chains: all, start }) => policy === 'drop' || (all.get(start) ?? []).length > 0,
  );
  if (inner.length === 0 || detours.steered) return { admits: () => null };
  const taking = translations.map(takingAway);
  const asked = distinctions(inner);
  const doors = entrances(ways, asked.interfaces);
  const states = detours.untracked ? ['new', 'untracked'] : ['new'];
  const translated = [...detours.ports].flatMap((port) => [port, port + 1]);
  const borders = [...new Set([...asked.ports, ...distinctions(taking).ports, ...translated])].sort((a, b) => a - b);
  const known = new Map<string, Reach | null>();

  /** Ports between two borders have one answer. */
  const stretch = (port: number): number => {
    let [low, high] = [0, borders.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((borders[middle] ?? 0) <= port) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  function throughDoor(door: Entrance, packet: Packet): AddressSet {
    const concerned = inner.filter(({ families }) => families.includes(packet.family));
    return concerned.reduce<AddressSet>(
      (left, chain) => (left.length === 0 ? left : intersection(left, mayPass(chain, packet))),
      nearest(packet.family, door),
    );
  }

  function familyReach(family: IpFamily, transport: Transport, port: number, address: string): Reach | null {
    const wildcard = address === '0.0.0.0' || address === '::';
    const translated = detours.anyPort || detours.ports.has(port);
    const destination = wildcard ? null : addressNumber(address);
    const packet = { family, transport, port, destination, states, translated };
    const isTaken = taking.some(
      (chain) => chain.families.includes(family) && mayPass(chain, { ...packet, interface: null }).length > 0,
    );
    if (isTaken) return null;
    const through = doors.map((door) => ({
      all: nearest(family, door),
      sources: throughDoor(door, { ...packet, interface: door.interface }),
    }));
    const narrowed = through.some(({ all, sources }) => !isSame(all, sources));
    const sources = union(...through.map((one) => one.sources));
    return !narrowed || isMost(sources, family) ? null : setReach(sources, family);
  }

  return {
    admits(proto, bound, port) {
      const address = normalAddress(bound);
      if (address === null) return null;
      const key = `${proto} ${address} ${stretch(port)}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      // A socket on :: takes IPv4 as well unless it was told not to, which nobody can see.
      const families = address === '::' ? ([4, 6] as const) : [familyOf(address)];
      const reaches = families.map((family) => familyReach(family, proto, port, address));
      const widest = reaches.includes(null) ? null : reaches.filter((one) => one !== null).reduce(widerReach);
      known.set(key, widest);
      return widest;
    },
  };
}
