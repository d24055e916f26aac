// Interfaces packets from outside come in by, and how far away their senders may be.
import { familyOf, type IpFamily, network, setReach } from '../../../model/address-set.ts';
import { addressReach, normalAddress } from '../../../model/cidr.ts';
import type { Kernel } from '../command.ts';

export interface WayIn {
  readonly interface: string;
  /** Families in which only local networks lie behind it. */
  readonly localOnly: ReadonlySet<IpFamily>;
}

export interface MachineWays {
  readonly ways: readonly WayIn[];
  readonly addresses: ReadonlySet<string>;
}

interface IpLink {
  readonly ifname?: string;
  readonly linkinfo?: { readonly info_slave_kind?: string };
  readonly addr_info?: readonly { readonly local?: string }[];
}

interface IpRoute {
  readonly type?: string;
  readonly dst?: string;
  readonly dev?: string;
  readonly nexthops?: readonly { readonly dev?: string }[];
}

/** What such an interface takes in comes in by its master's name. */
const slaveKinds = ['bridge', 'bond', 'team'];

function leadsBeyond({ type = 'unicast', dst = 'default' }: IpRoute, family: IpFamily): boolean {
  if (type !== 'unicast') return false;
  if (dst === 'default') return true;
  const [address = '', length] = dst.split('/');
  const set = network(address, length === undefined ? (family === 4 ? 32 : 128) : Number(length));
  return set === null || setReach(set, family) === 'world';
}

/** Where packets for a route leave; [undefined] where that is not said. */
const devices = ({ dev, nexthops = [] }: IpRoute): readonly (string | undefined)[] =>
  dev === undefined && nexthops.length > 0 ? nexthops.map((hop) => hop.dev) : [dev];

/**
 * The ways in by what `ip` lists of links and of the routes of all tables. Behind an interface lie local networks
 * alone when its addresses and whatever is routed by it are local.
 */
export function waysIn(links: readonly IpLink[], routes: Readonly<Record<IpFamily, readonly IpRoute[]>>): MachineWays {
  const beyond = (family: IpFamily) =>
    new Set(routes[family].filter((route) => leadsBeyond(route, family)).flatMap(devices));
  const far = { 4: beyond(4), 6: beyond(6) };
  const ways: WayIn[] = [];
  const addresses = new Set<string>();
  for (const { ifname = '', linkinfo, addr_info = [] } of links) {
    const own = addr_info.flatMap(({ local }) => normalAddress(local ?? '') ?? []);
    for (const address of own) addresses.add(address);
    if (ifname === 'lo' || slaveKinds.includes(linkinfo?.info_slave_kind ?? '')) continue;
    const localOnly = ([4, 6] as const).filter((family) => {
      const mine = own.filter((address) => familyOf(address) === family);
      const said = mine.length > 0 ? mine : own;
      const isFar = far[family].has(ifname) || far[family].has(undefined);
      return said.length > 0 && !isFar && said.every((address) => addressReach(address) === 'lan');
    });
    ways.push({ interface: ifname, localOnly: new Set(localOnly) });
  }
  return { ways, addresses };
}

/** Null where `ip` cannot tell. */
export async function machineWays(kernel: Kernel): Promise<MachineWays | null> {
  try {
    const [links, four, six] = (await Promise.all([
      kernel.ip('-d', 'address', 'show'),
      kernel.ip('-4', 'route', 'show', 'table', 'all'),
      kernel.ip('-6', 'route', 'show', 'table', 'all'),
    ])) as [IpLink[], IpRoute[], IpRoute[]];
    return waysIn(links, { 4: four, 6: six });
  } catch {
    return null;
  }
}
