import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { normalAddress } from '../model/cidr.ts';
import { type Failure, SallyportError, toFailure } from '../model/errors.ts';
import type { Device } from '../model/reports.ts';
import { parseMac, type Sighting } from './devices/sighting.ts';
import { devices, neighbours } from './devices.ts';

/** Where a name, a MAC address or a device is looked up; the real ones unless a test brings its own. */
export interface HostSources {
  readonly devices: () => Promise<Device[]>;
  readonly neighbours: () => Promise<Sighting[]>;
  readonly lookup: (name: string) => Promise<string[]>;
  /** Makes the kernel ask for an address, so that it learns whether anybody still has it. */
  readonly poke?: (address: string) => void;
}

const machine: HostSources = {
  devices: () => devices(),
  neighbours: () => neighbours(),
  lookup: async (name) => (await lookup(name, { all: true, order: 'ipv4first' })).map(({ address }) => address),
  poke,
};

const discardPort = 9;

/** One empty datagram: the kernel has to find the neighbour before it can send it. */
function poke(address: string): void {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => {});
  socket.send('', discardPort, address, () => socket.close());
}

const ipv4First = (a: string, b: string) => Number(a.includes(':')) - Number(b.includes(':'));
const linkLocal = (address: string) => /^fe[89ab]/i.test(address);

/** MAC address of an inside address, or null when nobody has heard of it. */
export async function macOf(address: string, sources: HostSources = machine): Promise<string | null> {
  const normal = normalAddress(address);
  const heard = (await sources.neighbours()).find((one) => one.address === normal);
  return heard?.mac ?? (await sources.devices()).find((one) => one.address === normal)?.mac ?? null;
}

/**
 * The present addresses of an internal host given as address, MAC address or name, the best first: IPv4 before IPv6,
 * and of a MAC's addresses those heard lately. Link-local addresses are not usable as a target and left out.
 * @throws SallyportError `target_unresolved`
 */
export async function resolveInternal(host: string, sources: HostSources = machine): Promise<string[]> {
  const literal = normalAddress(host);
  if (literal !== null) return [literal];
  const mac = parseMac(host);
  if (mac !== null) {
    const heard = (await sources.neighbours())
      .filter((one) => one.mac === mac)
      .sort((a, b) => +(b.fresh ?? 0) - +(a.fresh ?? 0));
    const known = (await sources.devices()).filter((one) => one.mac === mac);
    const mine = [...heard, ...known].map((one) => one.address).filter((address) => !linkLocal(address));
    // A neighbour is believed in for half a minute after it has left; a lease says at once where it went.
    const leased = new Set(known.filter(({ lease }) => lease !== 'unknown').map((one) => one.address));
    const moved = heard.some(({ address }) => leased.has(address));
    const addresses = new Set(mine.filter((address) => !moved || address.includes(':') || leased.has(address)));
    // The kernel keeps a neighbour nobody talks to for ever; of several addresses, some may be a former one.
    const fresh = new Set(heard.filter((one) => one.fresh).map((one) => one.address));
    if (addresses.size > 1) for (const address of addresses) if (!fresh.has(address)) sources.poke?.(address);
    if (addresses.size > 0) return [...addresses].sort(ipv4First);
    throw new SallyportError(
      'target_unresolved',
      `no device with the MAC address ${mac} is known at the moment`,
      'sallyport devices lists the ones that are; switch it on, or ping it once',
    );
  }
  let cause: unknown;
  try {
    const addresses = (await sources.lookup(host)).flatMap((address) => normalAddress(address) ?? []);
    if (addresses.length > 0) return [...new Set(addresses)].sort(ipv4First);
  } catch (error) {
    cause = error;
  }
  // A DHCP server knows names that no resolver may have been told of.
  const short = (name: string) => name.toLowerCase().split('.')[0];
  const named = (await sources.devices()).filter(
    ({ name }) =>
      name !== null &&
      (name.toLowerCase() === host.toLowerCase() || (!host.includes('.') && short(name) === short(host))),
  );
  if (named.length > 0) return named.map((one) => one.address).sort(ipv4First);
  throw new SallyportError(
    'target_unresolved',
    `the internal host "${host}" does not resolve`,
    'check the spelling, or give its address or MAC address; sallyport devices lists the known ones',
    { cause },
  );
}

/**
 * Finds the present address of a host given by its MAC address, or by a name that only a DHCP server here knows,
 * remembered for a moment. An address, and a name the resolver knows, is given back as it is: whoever connects races its
 * addresses.
 * @throws (the function) SallyportError `target_unresolved`
 */
export function deviceFinder(sources: HostSources = machine, rememberMs = 5000): (host: string) => Promise<string> {
  const known = new Map<string, { readonly address: Promise<string>; readonly untilMs: number }>();
  const find = async (host: string): Promise<string> => {
    const resolves = parseMac(host) === null && (await sources.lookup(host).catch(() => [])).length > 0;
    return resolves ? host : ((await resolveInternal(host, sources))[0] ?? host);
  };
  return async (host) => {
    if (isIP(host) !== 0) return host;
    const now = performance.now();
    const found = known.get(host);
    if (found !== undefined && now < found.untilMs) return found.address;
    const address = find(host);
    known.set(host, { address, untilMs: now + rememberMs });
    return address;
  };
}

export interface FollowOptions {
  readonly everyMs?: number;
  readonly resolve?: (host: string) => Promise<string[]>;
}

/**
 * Follows an internal host: tells its addresses at once and again whenever they have changed, until the signal ends it.
 * A host that cannot be resolved any more keeps the addresses it had; one that never could is told as no address with
 * the reason, once. An answer that only has another order is no change. A literal address is told once and not polled.
 */
export function followHost(
  host: string,
  onChange: (addresses: readonly string[], failure: Failure | null) => void,
  signal: AbortSignal,
  { everyMs = 15_000, resolve = resolveInternal }: FollowOptions = {},
): void {
  let known: readonly string[] | null = null;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    try {
      const found = await resolve(host);
      if (signal.aborted) return;
      const same = known?.length === found.length && found.every((address) => known?.includes(address));
      if (!same) {
        // The address in use stays first as long as it is one of them: flows need not move for nothing.
        const current = known?.[0];
        known =
          current !== undefined && found.includes(current) ? [current, ...found.filter((a) => a !== current)] : found;
        onChange(known, null);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (known === null) {
        known = [];
        onChange(known, toFailure(error));
      }
    }
    if (!signal.aborted && isIP(normalAddress(host) ?? '') === 0) timer = setTimeout(look, everyMs).unref();
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  if (!signal.aborted) void look();
}
