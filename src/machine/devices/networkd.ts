import { normalAddress } from '../../model/cidr.ts';
import { deviceName, parseMac, type Sighting } from './sighting.ts';

/**
 * What systemd-networkd was told as a DHCP client (/run/systemd/netif/leases/IFINDEX): its routers and the server.
 * The lease itself is this machine's own.
 */
export function parseNetworkdLease(text: string): Sighting[] {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const addresses = new Set(`${value('ROUTER')} ${value('SERVER_ADDRESS')}`.split(/\s+/).map(normalAddress));
  return [...addresses].flatMap((address) =>
    address === null ? [] : [{ address, name: null, mac: null, lease: 'unknown', source: 'networkd' } as const],
  );
}

interface ServerLease {
  readonly Address?: unknown;
  readonly Hostname?: unknown;
  readonly HardwareAddress?: unknown;
  readonly ExpirationRealtimeUSec?: unknown;
}

const bytes = (value: unknown, length: number): number[] | null =>
  Array.isArray(value) && value.length === length && value.every((byte) => Number.isInteger(byte)) ? value : null;

/** Leases that systemd-networkd has given out as a DHCP server, as it keeps them: JSON, one file an interface. */
export function parseNetworkdServer(json: string, nowMs: number): Sighting[] {
  const data = JSON.parse(json) as { Leases?: unknown; StaticLeases?: unknown };
  const list = (value: unknown) => (Array.isArray(value) ? (value as (ServerLease | null)[]) : []);
  const sightings = (leases: readonly (ServerLease | null)[], lease: 'dynamic' | 'reserved') =>
    leases.flatMap((one): Sighting[] => {
      const address = normalAddress(bytes(one?.Address, 4)?.join('.') ?? '');
      const expires = one?.ExpirationRealtimeUSec;
      if (address === null || (typeof expires === 'number' && expires / 1000 < nowMs)) return [];
      const hardware = bytes(one?.HardwareAddress, 6)?.map((byte) => byte.toString(16).padStart(2, '0'));
      const name = typeof one?.Hostname === 'string' ? deviceName(one.Hostname) : null;
      return [{ address, name, mac: parseMac(hardware?.join(':') ?? ''), lease, source: 'networkd' }];
    });
  return [...sightings(list(data.Leases), 'dynamic'), ...sightings(list(data.StaticLeases), 'reserved')];
}
