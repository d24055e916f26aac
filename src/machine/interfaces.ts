import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { addressReach, normalAddress } from '../model/cidr.ts';
import { decodeAddress } from './socket-table.ts';

export interface InterfaceAddress {
  readonly interface: string;
  readonly address: string;
  readonly family: 4 | 6;
  readonly mac: string;
  /** Prefix length; null when the system does not tell. */
  readonly prefix: number | null;
  readonly loopback: boolean;
}

export interface DefaultRoute {
  readonly interface: string;
  /** Null for a route without a next hop, as of a point-to-point link. */
  readonly gateway: string | null;
}

/** The addresses of this machine's interfaces that are up. */
export function interfaceAddresses(): InterfaceAddress[] {
  return Object.entries(os.networkInterfaces()).flatMap(([name, infos]) =>
    (infos ?? []).map((info) => ({
      interface: name,
      address: normalAddress(info.address) ?? info.address,
      family: info.family === 'IPv4' ? (4 as const) : (6 as const),
      mac: info.mac,
      prefix: info.cidr === null ? null : Number(info.cidr.split('/')[1]),
      loopback: info.internal,
    })),
  );
}

/** Whether an address belongs to this machine. All of 127.0.0.0/8 does. */
export function isOwnAddress(address: string, own = interfaceAddresses()): boolean {
  const normal = normalAddress(address);
  if (normal === null) return address === 'localhost';
  return addressReach(normal) === 'host' || own.some((entry) => entry.address === normal);
}

/** The IPv4 default route with the lowest metric from the text of /proc/net/route. */
export function parseRoutes(text: string, littleEndian?: boolean): DefaultRoute | null {
  const up = 0x1;
  const routes = text.split('\n').flatMap((line) => {
    const [name, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
    if (name === undefined || destination !== '00000000' || mask !== '00000000' || gateway === undefined) return [];
    if ((Number.parseInt(flags ?? '', 16) & up) === 0) return [];
    const address = decodeAddress(gateway, littleEndian);
    return [
      { route: { interface: name, gateway: address === '0.0.0.0' ? null : address }, metric: Number(metric ?? 0) },
    ];
  });
  return routes.sort((a, b) => a.metric - b.metric)[0]?.route ?? null;
}

/** The IPv6 default route with the lowest metric from the text of /proc/net/ipv6_route, whose numbers are in network order. */
export function parseRoutes6(text: string): DefaultRoute | null {
  const rejected = 0x200;
  const routes = text.split('\n').flatMap((line) => {
    const [destination, prefix, , , gateway, metric, , , flags, name] = line.trim().split(/\s+/);
    if (destination !== '0'.repeat(32) || prefix !== '00' || gateway === undefined || name === undefined) return [];
    if ((Number.parseInt(flags ?? '', 16) & rejected) !== 0 || name === 'lo') return [];
    const address = decodeAddress(gateway, false);
    return [
      {
        route: { interface: name, gateway: address === '::' ? null : address },
        metric: Number.parseInt(metric ?? '0', 16),
      },
    ];
  });
  return routes.sort((a, b) => a.metric - b.metric)[0]?.route ?? null;
}

/** Where packets to the rest of the world leave; null for a machine without a default route. */
export async function defaultRoute(family: 4 | 6 = 4): Promise<DefaultRoute | null> {
  const file = family === 4 ? '/proc/net/route' : '/proc/net/ipv6_route';
  const text = await readFile(file, 'latin1').catch(() => '');
  return family === 4 ? parseRoutes(text) : parseRoutes6(text);
}

/**
 * This machine's own address as its neighbours use it: the one on the interface of the default route, else the first
 * that is neither loopback nor link-local. Null when there is none.
 */
export async function lanAddress(family: 4 | 6 = 4): Promise<string | null> {
  const route = await defaultRoute(family);
  const usable = interfaceAddresses().filter(
    (entry) => entry.family === family && !entry.loopback && !/^(?:169\.254\.|fe[89ab])/i.test(entry.address),
  );
  return (usable.find((entry) => entry.interface === route?.interface) ?? usable[0])?.address ?? null;
}
