import { type Failure, SallyportError } from '../../model/errors.ts';
import type { Transport } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';
import { type Family, familyOf, isLoopback, isUnspecified } from './address.ts';

/** Each port is a lease of its own, and home routers hold a hundred or so. */
export const maxPortsPerRule = 128;

/** One port there should be a lease for. */
export interface WantedPort {
  /** What it occupies on the router. */
  readonly key: string;
  readonly owner: string;
  readonly proto: Transport;
  readonly family: Family;
  readonly external: number;
  /** `address` null: this machine's own toward the router. */
  readonly internal: { readonly address: string | null; readonly port: number };
}

export interface Plan {
  readonly ports: readonly WantedPort[];
  /** Owners nothing is asked for, and why. */
  readonly refused: ReadonlyMap<string, Failure>;
}

/**
 * What to ask the router for. An owner with one rule that cannot be is refused whole: half of a mapping open is worse
 * than none.
 * @param isOwn whether an address is one of this machine's
 */
export function planLeases(rules: readonly GatewayRule[], isOwn: (address: string) => boolean): Plan {
  const refused = new Map<string, Failure>();
  const ports: WantedPort[] = [];
  const outer = new Map<string, string>();
  const inner = new Map<string, WantedPort>();
  for (const rule of rules) {
    try {
      check(rule, isOwn);
      for (const port of expand(rule)) {
        const holder = outer.get(port.key);
        if (holder !== undefined && holder !== port.owner) throw taken(port, holder);
        const inside = `${port.proto} ${port.internal.address} ${port.internal.port}`;
        const other = inner.get(inside);
        if (other !== undefined && other.key !== port.key) throw twice(port, other);
        outer.set(port.key, port.owner);
        inner.set(inside, port);
        ports.push(port);
      }
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      if (!refused.has(rule.owner)) refused.set(rule.owner, error.failure);
    }
  }
  return { ports: ports.filter((port) => !refused.has(port.owner)), refused };
}

function check(rule: GatewayRule, isOwn: (address: string) => boolean): void {
  const { external, internal } = rule;
  const count = external.last - external.first + 1;
  const unsupported = (what: string, hint: string) => new SallyportError('unsupported', what, hint);
  if (rule.allow.length > 0 || rule.deny.length > 0) {
    throw unsupported(
      'the router cannot enforce a list of sources: it would let everybody in',
      'leave out --allow and --deny, or use --via nftables or relay',
    );
  }
  if (external.address !== null && !isUnspecified(external.address)) {
    throw unsupported('the router decides itself on which address it maps', 'leave out --bind');
  }
  if (count > maxPortsPerRule) {
    throw unsupported(
      `${count} ports are too many for a router: each takes a lease of its own, at most ${maxPortsPerRule} are asked for`,
      `map fewer ports, or make this machine the router's exposed host (DMZ) and use --via nftables`,
    );
  }
  if (internal.first + count - 1 > 65_535) {
    throw new SallyportError('bad_value', `internal ports from ${internal.first} on go beyond 65535`, 'shift it less');
  }
  const address = ownOrNull(internal.address);
  if (address === null) return;
  if (familyOf(address) === null || !isOwn(address)) {
    throw unsupported(
      `the router maps to this machine only, and ${address} is another`,
      'use --via relay or nftables for it, and map the router to this machine',
    );
  }
  if (familyOf(address) === 6 && external.first !== internal.first) {
    throw unsupported('over IPv6 the router opens ports, and does not change them', 'take the same port on both sides');
  }
}

/** Null for this machine's address toward the router, which is also what loopback addresses stand for. */
function ownOrNull(address: string): string | null {
  return address === '' || isLoopback(address) || isUnspecified(address) ? null : address;
}

function expand({ owner, proto, external, internal }: GatewayRule): WantedPort[] {
  const address = ownOrNull(internal.address);
  const family = address === null ? 4 : (familyOf(address) ?? 4);
  return Array.from({ length: external.last - external.first + 1 }, (_, i) => ({
    key: family === 4 ? `${proto}/${external.first + i}` : `${proto}/[${address}]:${external.first + i}`,
    owner,
    proto,
    family,
    external: external.first + i,
    internal: { address, port: internal.first + i },
  }));
}

function taken(port: WantedPort, holder: string): SallyportError {
  return new SallyportError(
    'conflict',
    `"${holder}" has ${port.proto} port ${port.external} of the router`,
    `take another external port, or: sallyport rm ${holder}`,
  );
}

/** PCP and NAT-PMP know a mapping by its inner port: a second outer one would replace the first. */
function twice(port: WantedPort, other: WantedPort): SallyportError {
  return new SallyportError(
    'conflict',
    `"${other.owner}" already maps ${port.proto} port ${other.external} of the router to port ${port.internal.port} here, and a router maps each once`,
    'take another internal port',
  );
}
