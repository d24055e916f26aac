import { normalAddress } from '../../model/cidr.ts';
import { type Failure, SallyportError, toFailure } from '../../model/errors.ts';
import { disjointIntervals } from '../../model/intervals.ts';
import { formatPortRange, portsOverlap } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';
import type { KernelTrigger, PlacedTrigger, TransportRange } from './kernel-triggers.ts';
import type { MachineLinks } from './links.ts';
import { checkedInterface, familyOf, networksOf } from './values.ts';

export interface CheckedTriggers {
  readonly accepted: readonly PlacedTrigger[];
  readonly refused: ReadonlyMap<string, Failure>;
}

/** Checks triggers by themselves, against each other and against the mappings, and finds their outside. Pure. */
export function checkTriggers(
  triggers: readonly KernelTrigger[],
  rules: readonly GatewayRule[],
  links: MachineLinks,
): CheckedTriggers {
  const accepted: PlacedTrigger[] = [];
  const refused = new Map<string, Failure>();
  for (const trigger of triggers) {
    try {
      const placed = place(trigger, links);
      refuseOverlap(placed, accepted, rules);
      accepted.push(placed);
    } catch (error) {
      refused.set(trigger.name, toFailure(error));
    }
  }
  return { accepted, refused };
}

function place(trigger: KernelTrigger, links: MachineLinks): PlacedTrigger {
  for (const list of [trigger.from, trigger.to, trigger.allow, trigger.deny]) networksOf(list, 'ipv4'); // throws on what is no network
  if (!(trigger.idleMs >= 1000))
    throw new SallyportError('bad_value', 'the idle time is under a second', 'say --idle 10m');
  if (trigger.maxOpenMs !== null && !(trigger.maxOpenMs >= 1000)) {
    throw new SallyportError('bad_value', 'the longest time open is under a second', 'say --max-open 1h');
  }
  return { ...trigger, on: tidy(trigger.on), open: tidy(trigger.open), ...outsideOf(trigger.bind, links) };
}

/** Ranges in order, those that overlap joined. */
function tidy(ranges: readonly TransportRange[]): TransportRange[] {
  for (const { first, last } of ranges) {
    if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 1 && first <= last && last <= 65_535)) {
      throw new SallyportError('bad_value', `ports ${first}-${last} are no range`, 'ports go from 1 to 65535');
    }
  }
  if (ranges.length === 0) throw new SallyportError('bad_value', 'no ports given', 'write them like tcp/113');
  return disjointIntervals(ranges.map((range) => ({ ...range, name: '' }))).map(({ proto, first, last }) => ({
    proto,
    first,
    last,
  }));
}

function outsideOf(bind: string | null, links: MachineLinks): Pick<PlacedTrigger, 'outside' | 'address'> {
  const interfaces = [...new Set(links.addresses.map((entry) => entry.interface))];
  if (bind === null) {
    const outside = links.defaultInterface ?? soleWorldInterface(links);
    if (outside !== null) return { outside, address: null };
    throw new SallyportError(
      'gateway_missing',
      'no default route says which side is outside',
      `say --bind with the outside interface${interfaces.length > 0 ? `, one of ${interfaces.join(', ')}` : ''}`,
    );
  }
  const address = normalAddress(bind);
  if (address === null) return { outside: checkedInterface(bind), address: null };
  if (address === '0.0.0.0' || address === '::') return outsideOf(null, links);
  const holder = links.addresses.find((entry) => normalAddress(entry.address) === address);
  if (holder === undefined) {
    throw new SallyportError(
      'address_unavailable',
      `${address} is not an address of this machine`,
      'name the outside interface, or one of its addresses',
    );
  }
  return { outside: holder.interface, address };
}

/** Without a default route: the one interface with an address the world could reach. */
function soleWorldInterface({ addresses }: MachineLinks): string | null {
  const world = new Set(addresses.filter(({ address }) => isPublicV4(address)).map((entry) => entry.interface));
  const [only] = world;
  return world.size === 1 && only !== undefined ? only : null;
}

const privateV4 = /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;
const isPublicV4 = (address: string) => familyOf(address) === 'ipv4' && !privateV4.test(address);

function refuseOverlap(trigger: PlacedTrigger, others: readonly PlacedTrigger[], rules: readonly GatewayRule[]): void {
  for (const range of trigger.open) {
    const hits = (held: { proto: string; first: number; last: number }) =>
      held.proto === range.proto && portsOverlap(held, range);
    const holder =
      others.find(({ open }) => open.some(hits))?.name ??
      rules.find(({ proto, external }) => hits({ proto, first: external.first, last: external.last }))?.owner;
    if (holder === undefined) continue;
    throw new SallyportError(
      'conflict',
      `${range.proto} ${formatPortRange(range)} overlaps ${holder}`,
      `use other ports, or take ${holder} down`,
    );
  }
}
