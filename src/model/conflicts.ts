import { normalAddress } from './cidr.ts';
import type { Forward } from './config.ts';
import { SallyportError } from './errors.ts';
import { triggerSets } from './kinds.ts';
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

/** Each forward is held against every other one, and none of them changes in place. */
function claimsOf(forward: Forward): readonly Claim[] {
  let claims = known.get(forward);
  if (claims === undefined) {
    claims = readClaims(forward);
    known.set(forward, claims);
  }
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
      const address = claimAddress(forward.bind ?? (narrow ? undefined : '*'));
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
  if (a.side !== b.side || a.proto !== b.proto) return false;
  return a.proto === 'unix'
    ? a.address === b.address
    : addressesMeet(a.address, b.address) && portsOverlap(a.ports, b.ports);
}

export interface Conflict {
  readonly holder: string;
  /** What both want: `tcp 3389`. */
  readonly what: string;
}

/** The forward among `others` that already has what `forward` wants; null when there is none. */
export function findConflict(forward: Forward, others: readonly Forward[]): Conflict | null {
  const wanted = claimsOf(forward);
  for (const other of others) {
    if (other.name === forward.name) continue;
    for (const claim of claimsOf(other)) {
      const hit = wanted.find((mine) => collide(mine, claim));
      if (hit === undefined) continue;
      return {
        holder: other.name,
        what: hit.proto === 'unix' ? hit.address : `${hit.proto} ${formatPortRange(hit.ports)}`,
      };
    }
  }
  const again = forward.kind === 'trigger' ? triggerSelfConflict(forward) : null;
  return again;
}

/** A trigger that opens the same port twice contradicts itself. */
function triggerSelfConflict(forward: Extract<Forward, { kind: 'trigger' }>): Conflict | null {
  const claims = claimsOf(forward);
  for (const [i, a] of claims.entries()) {
    const b = claims.slice(i + 1).find((other) => collide(a, other));
    if (b !== undefined) return { holder: forward.name, what: `${b.proto} ${formatPortRange(b.ports)}` };
  }
  return null;
}

export function conflictError(forward: Forward, { holder, what }: Conflict): SallyportError {
  if (holder === forward.name)
    return new SallyportError('conflict', `${forward.name} names ${what} twice`, 'name each port once');
  return new SallyportError(
    'conflict',
    `${forward.name} wants ${what}, which ${holder} has`,
    `choose another port, or remove it first: sallyport rm ${holder}`,
  );
}

/** Whether two triggers listen for the same call; not a collision by itself, but worth showing. */
export function triggersOverlap(
  a: Extract<Forward, { kind: 'trigger' }>,
  b: Extract<Forward, { kind: 'trigger' }>,
): boolean {
  return triggerSets(a.on).some((x) =>
    triggerSets(b.on).some(
      (y) =>
        transports(x.proto).some((proto) => transports(y.proto).includes(proto)) &&
        parsePortList(x.ports).some((range) => parsePortList(y.ports).some((other) => portsOverlap(range, other))),
    ),
  );
}
