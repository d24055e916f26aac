import type { Failure } from '../../model/errors.ts';
import { formatPortRange } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';
import type { Kernel } from './command.ts';
import { droppingChains, forwardObstacle } from './forward-chains.ts';
import type { PlacedTrigger } from './kernel-triggers.ts';
import { droppingLegacyChains } from './legacy-chains.ts';
import type { MachineLinks } from './links.ts';
import { shownAt } from './shown.ts';
import type { Statuses } from './statuses.ts';
import { familyOf } from './values.ts';

/** What stands in the kernel. */
export interface Standing {
  readonly rules: readonly GatewayRule[];
  readonly triggers: readonly PlacedTrigger[];
  readonly links: MachineLinks;
}

/** Reports how each owner stands, going by what else on this machine decides about its packets. */
export async function reportStanding(
  kernel: Kernel,
  ours: RegExp,
  { rules, triggers, links }: Standing,
  statuses: Statuses,
): Promise<void> {
  const here = new Set(links.addresses.map(({ address }) => address));
  const elsewhere = rules.map(({ internal }) => internal.address).filter((address) => !here.has(address));
  const forwarding = {
    ipv4: elsewhere.some((a) => familyOf(a) === 'ipv4') ? await forwardingOff(kernel, 'ipv4') : null,
    ipv6: elsewhere.some((a) => familyOf(a) === 'ipv6') ? await forwardingOff(kernel, 'ipv6') : null,
  };
  const chains = [...(await droppingChains(kernel, ours)), ...(await droppingLegacyChains(kernel))];
  const byOwner = Map.groupBy(rules, ({ owner }) => owner);
  for (const [owner, mine] of byOwner) {
    const away = mine.map(({ internal }) => internal.address).filter((address) => !here.has(address));
    const off = away.map((address) => forwarding[familyOf(address)]).find((failure) => failure !== null);
    if (off !== undefined) {
      statuses.set(owner, { is: 'failed', error: off });
      continue;
    }
    statuses.open(owner, shownAt(mine), forwardObstacle(chains, away));
  }
  if (triggers.length === 0) return;
  const off = await forwardingOff(kernel, 'ipv4');
  const inTheWay = forwardObstacle(chains, ['0.0.0.0', '::']);
  for (const { name, open } of triggers) {
    if (off !== null) statuses.set(name, { is: 'failed', error: off });
    else statuses.open(name, open.map((range) => `${range.proto}/${formatPortRange(range)}`).join(','), inTheWay);
  }
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
