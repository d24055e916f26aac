// The networks and interfaces of this machine, as ip(8) knows them.
import type { Kernel } from './command.ts';
import { checkedInterface, networksOf, networkText } from './values.ts';

export interface MachineLinks {
  /** Networks this machine has a link in, with their prefix lengths. */
  readonly networks: readonly string[];
  readonly addresses: readonly { readonly address: string; readonly interface: string }[];
  /** Interface of the default route, IPv4's first; null without one. */
  readonly defaultInterface: string | null;
}

interface IpAddress {
  readonly ifname?: string;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}
interface IpRoute {
  readonly dev?: string;
}

export async function machineLinks(kernel: Kernel): Promise<MachineLinks> {
  const [links, route4, route6] = (await Promise.all([
    kernel.ip('address', 'show', 'up'),
    kernel.ip('-4', 'route', 'show', 'default'),
    kernel.ip('-6', 'route', 'show', 'default'),
  ])) as [IpAddress[], IpRoute[], IpRoute[]];
  const networks: string[] = [];
  const addresses: { address: string; interface: string }[] = [];
  for (const { ifname = '', addr_info = [] } of links) {
    for (const { local, prefixlen } of addr_info) {
      if (local === undefined || prefixlen === undefined) continue;
      addresses.push({ address: local, interface: checkedInterface(ifname) });
      const single = prefixlen === (local.includes(':') ? 128 : 32);
      if (ifname !== 'lo' && !single) networks.push(networkText(local, prefixlen));
    }
  }
  const named = [...route4, ...route6].find(({ dev }) => dev !== undefined)?.dev;
  return {
    networks: [...networksOf(networks, 'ipv4'), ...networksOf(networks, 'ipv6')],
    addresses,
    defaultInterface: named === undefined ? null : checkedInterface(named),
  };
}
