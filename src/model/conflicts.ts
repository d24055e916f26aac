import { normalAddress } from './cidr.ts';
import type { Forward } from './config.ts';
import { SallyportError } from './errors.ts';
import { formatPortRange, type PortRange, parsePortList, portsOverlap, type Transport, transports } from './ports.ts';

/** A port, or a socket, that a forward takes for itself. */
interface Claim {
  /** Whose ports: this machine's, an SSH server's, or the router's. */
  readonly side: string;
  readonly proto: Transport | 'unix';
  /** `any`, `loopback`, an address, or a socket's path. */
  readonly address: string;
  readonly ports: PortRange;
}

const anyPort: PortRange = { first: 0, last: 0 };

function claimAddress(address: string | undefined): string {
  if (address === undefined || address === 'localhost') return 'loopback';
  if (address === '*' || address === '0.0.0.0' || address === '::') return 'any';
  return normalAddress(address) ?? address;
}

const known = new WeakMap<Forward, readonly Claim[]>();

/** Forwards are never changed, so what one claims is worked out once. */
function claimsOf(forward: Forward): readonly Claim[] {
  const before = known.get(forward);
  if (before !== undefined) return before;
  const claims = readClaims(forward);
  known.set(forward, claims);
  return claims;
}

function readClaims(forward: Forward): Claim[] {
  switch (forward.kind) {
    case 'local':
    case 'dynamic':
    case 'remote': {
      const side = forward.kind === 'remote' ? `ssh:${forward.host}` : 'here';
      const { listen } = forward;
      if ('socket' in listen) return [{ side, proto: 'unix', address: listen.socket, ports: anyPort }];
      if (listen.port === 0) return [];
      return [
        { side, proto: 'tcp', address: claimAddress(listen.address), ports: { first: listen.port, last: listen.port } },
      ];
    }
    case 'mapping': {
      const { port, last, address } = forward.listen;
      const fallback = forward.via === 'relay' ? undefined : '*';
      return transports(forward.proto).map((proto) => ({
        side: forward.via === 'router' ? 'router' : 'here',
        proto,
        address: claimAddress(address ?? fallback),
        ports: { first: port, last: last ?? port },
      }));
    }
    case 'trigger': {
      // The server is the one a call goes over: any two triggers may meet there.
      const side = forward.via === 'router' ? 'router' : forward.via === 'remote' ? 'far' : 'here';
      const narrow = forward.via === 'relay' || forward.via === 'remote';
      const { bind = narrow ? undefined : '*' } = forward;
      // The kernel's outside may be an interface, with whatever addresses that has.
      const named = forward.via === 'nftables' && bind !== undefined && normalAddress(bind) === null;
      const address = named ? 'any' : claimAddress(bind);
      return forward.open.flatMap(({ proto, ports }) =>
        transports(proto).flatMap((transport) =>
          parsePortList(ports).map((range) => ({ side, proto: transport, address, ports: range })),
        ),
      );
    }
  }
}

const isLoopback = (address: string) => address === 'loopback' || address === '127.0.0.1' || address === '::1';

function addressesMeet(a: string, b: string): boolean {
  if (a === 'any' || b === 'any' || a === b) return true;
  return (a === 'loopback' && isLoopback(b)) || (b === 'loopback' && isLoopback(a));
}

function collide(a: Claim, b: Claim): boolean {
  if (shelfOf(a) !== shelfOf(b)) return false;
  return addressesMeet(a.address, b.address) && portsOverlap(a.ports, b.ports);
}

/** Whether what connects to `aim` meets the listener of `claim`, as far as the words alone tell. */
const leadsTo = (aim: Claim, claim: Claim): boolean =>
  collide(aim, claim) && (isLoopback(aim.address) || aim.address === claim.address);

type Relay = Extract<Forward, { kind: 'mapping' }>;

const isRelay = (forward: Forward): forward is Relay => forward.kind === 'mapping' && forward.via === 'relay';

/** A connection on its way through relays. */
interface Step {
  /** The relay it is at, and at which of its ports it can be. */
  readonly at: Relay;
  readonly proto: Transport;
  readonly ports: PortRange;
  /** How far these are from the ports it came in by. */
  readonly shift: number;
  readonly through: readonly string[];
}

/** Claims of different shelves never collide. */
function shelfOf({ side, proto, address }: Claim): string {
  return proto === 'unix' ? `${side} unix ${address}` : `${side} ${proto}`;
}

export type Conflict =
  | {
      readonly is: 'held';
      readonly holder: string;
      /** What both want: `tcp 3389`. */
      readonly what: string;
    }
  | {
      readonly is: 'loop';
      /** The relays a connection would go through, in order, until it is back where it came in. */
      readonly through: readonly string[];
    };

interface Holding {
  readonly holder: string;
  readonly claim: Claim;
  /** The earlier of two holders is the one that is named. */
  readonly rank: number;
}

/** Who holds what, so that asking costs no more with ten thousand forwards than with ten. */
export class ClaimBook {
  private readonly shelves = new Map<string, { ports: Map<number, Holding[]>; ranges: Holding[] }>();
  private readonly relays = new Map<string, Relay>();
  private count = 0;

  constructor(forwards: Iterable<Forward> = []) {
    for (const forward of forwards) this.add(forward);
  }

  add(forward: Forward): void {
    if (isRelay(forward)) this.relays.set(forward.name, forward);
    for (const claim of claimsOf(forward)) {
      const name = shelfOf(claim);
      const shelf = this.shelves.get(name) ?? { ports: new Map<number, Holding[]>(), ranges: [] };
      this.shelves.set(name, shelf);
      const holding = { holder: forward.name, claim, rank: this.count++ };
      const { first, last } = claim.ports;
      const held = shelf.ports.get(first);
      if (first < last) shelf.ranges.push(holding);
      else if (held === undefined) shelf.ports.set(first, [holding]);
      else held.push(holding);
    }
  }

  /**
   * The first forward in the book that already has what `forward` wants, itself aside, or the relays that would lead back
   * to it; null when there is none.
   */
  conflict(forward: Forward): Conflict | null {
    let found: { holding: Holding; mine: Claim } | null = null;
    for (const mine of claimsOf(forward)) {
      for (const holding of this.near(mine)) {
        if (holding.holder === forward.name || (found !== null && found.holding.rank <= holding.rank)) continue;
        if (collide(mine, holding.claim)) found = { holding, mine };
      }
    }
    if (found === null) return forward.kind === 'trigger' ? triggerSelfConflict(forward) : this.loop(forward);
    const { holding, mine } = found;
    const what = mine.proto === 'unix' ? mine.address : `${mine.proto} ${formatPortRange(mine.ports)}`;
    return { is: 'held', holder: holding.holder, what };
  }

  private loop(forward: Forward): Conflict | null {
    if (!isRelay(forward)) return null;
    const { port, last = port } = forward.listen;
    for (const proto of transports(forward.proto)) {
      const ports = { first: port, last };
      const through = this.wayBack(forward, { at: forward, proto, ports, shift: 0, through: [] }, new Set());
      if (through !== null) return { is: 'loop', through };
    }
    return null;
  }

  /** Only a port that comes back as itself goes round for ever: one that is shifted on the way leaves the range in the end. */
  private wayBack(
    start: Relay,
    { at, proto, ports, shift, through }: Step,
    been: Set<string>,
  ): readonly string[] | null {
    const by = at.target.port - at.listen.port;
    const shifted = shift + by;
    const aim: Claim = {
      side: 'here',
      proto,
      address: claimAddress(at.target.host),
      ports: { first: ports.first + by, last: ports.last + by },
    };
    const back = shifted === 0 && claimsOf(start).some((claim) => leadsTo(aim, claim));
    // One that leads straight to itself is refused before it gets here.
    if (back) return through.length > 0 ? through : null;
    for (const { next, claim } of this.relaysAt(aim, start)) {
      if (!leadsTo(aim, claim)) continue;
      const first = Math.max(aim.ports.first, claim.ports.first);
      const last = Math.min(aim.ports.last, claim.ports.last);
      const place = `${next.name} ${first}-${last} ${shifted}`;
      if (been.has(place)) continue;
      been.add(place);
      const step = { at: next, proto, ports: { first, last }, shift: shifted, through: [...through, next.name] };
      const found = this.wayBack(start, step, been);
      if (found !== null) return found;
    }
    return null;
  }

  /** The relays that claim something near, with `start` as it is to be. */
  private *relaysAt(aim: Claim, start: Relay): Iterable<{ readonly next: Relay; readonly claim: Claim }> {
    for (const claim of claimsOf(start)) yield { next: start, claim };
    for (const { holder, claim } of this.near(aim)) {
      const next = this.relays.get(holder);
      if (next !== undefined && holder !== start.name) yield { next, claim };
    }
  }

  private *near(claim: Claim): Iterable<Holding> {
    const shelf = this.shelves.get(shelfOf(claim));
    if (shelf === undefined) return;
    yield* shelf.ranges;
    const { first, last } = claim.ports;
    if (last - first < shelf.ports.size) {
      for (let port = first; port <= last; port += 1) yield* shelf.ports.get(port) ?? [];
    } else {
      for (const held of shelf.ports.values()) yield* held;
    }
  }
}

/** As `ClaimBook.conflict`, for a single question. */
export function findConflict(forward: Forward, others: readonly Forward[]): Conflict | null {
  return new ClaimBook(others).conflict(forward);
}

/** A trigger that opens the same port twice contradicts itself. */
function triggerSelfConflict(forward: Extract<Forward, { kind: 'trigger' }>): Conflict | null {
  const claims = claimsOf(forward);
  for (const [i, a] of claims.entries()) {
    const b = claims.slice(i + 1).find((other) => collide(a, other));
    if (b !== undefined) return { is: 'held', holder: forward.name, what: `${b.proto} ${formatPortRange(b.ports)}` };
  }
  return null;
}

export function conflictError(forward: Forward, conflict: Conflict): SallyportError {
  if (conflict.is === 'loop') {
    const way = [...new Set(conflict.through)].filter((name) => name !== forward.name).join(' and ');
    return new SallyportError(
      'conflict',
      `${forward.name} would lead back to itself through ${way}`,
      'give one of them another target',
    );
  }
  const { holder, what } = conflict;
  if (holder === forward.name)
    return new SallyportError('conflict', `${forward.name} names ${what} twice`, 'name each port once');
  return new SallyportError(
    'conflict',
    `${forward.name} wants ${what}, which ${holder} has`,
    `choose another port, or remove it first: sallyport rm ${holder}`,
  );
}
