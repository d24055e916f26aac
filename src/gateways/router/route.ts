import { readFile } from 'node:fs/promises';
import { addressText, type Family } from './address.ts';

/** Where packets for everywhere go. */
export interface Route {
  /** A link-local one carries its interface as zone. */
  readonly gateway: string;
  readonly device: string;
}

const tables = { 4: '/proc/net/route', 6: '/proc/net/ipv6_route' } as const;
/** Flags of a route: usable, and through a gateway. */
const upAndGateway = 0x3;

/** The default route with the lowest metric in a kernel table as /proc shows it; null when there is none. */
export function defaultRoute(family: Family, table: string): Route | null {
  const routes = table
    .split('\n')
    .map((line) => (family === 4 ? line4(line) : line6(line)))
    .filter((route) => route !== null);
  const [best] = routes.sort((a, b) => a.metric - b.metric);
  return best === undefined ? null : { gateway: best.gateway, device: best.device };
}

function line4(line: string): (Route & { metric: number }) | null {
  const [device = '', to, via = '', flags = '', , , metric = '', mask] = line.trim().split(/\s+/);
  if (to !== '00000000' || mask !== '00000000' || !/^[0-9A-F]{8}$/i.test(via)) return null;
  if ((Number.parseInt(flags, 16) & upAndGateway) !== upAndGateway) return null;
  // In the byte order of this machine; Node runs on little-endian ones.
  return { gateway: addressText(Buffer.from(via, 'hex').reverse()), device, metric: Number(metric) || 0 };
}

function line6(line: string): (Route & { metric: number }) | null {
  const [to = '', bits, , , via = '', metric = '', , , flags = '', device = ''] = line.trim().split(/\s+/);
  if (!/^0{32}$/.test(to) || bits !== '00' || !/^[0-9a-f]{32}$/i.test(via)) return null;
  if ((Number.parseInt(flags, 16) & upAndGateway) !== upAndGateway) return null;
  const address = addressText(Buffer.from(via, 'hex'));
  const gateway = address.startsWith('fe80:') ? `${address}%${device}` : address;
  return { gateway, device, metric: Number.parseInt(metric, 16) || 0 };
}

/** The default route of this machine; null when it has none, or the system does not say. */
export async function readDefaultRoute(family: Family): Promise<Route | null> {
  try {
    return defaultRoute(family, await readFile(tables[family], 'latin1'));
  } catch {
    return null;
  }
}
