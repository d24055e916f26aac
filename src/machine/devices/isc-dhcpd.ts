import { normalAddress } from '../../model/cidr.ts';
import { deviceName, parseMac, type Sighting } from './sighting.ts';

const unquoted = (text: string | undefined) => text?.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1');

/** A time of dhcpd.leases(5) in milliseconds: `4 2026/11/26 12:00:00` in UTC, `epoch 1764000000`, or `never`. */
function parseTime(text: string | undefined): number {
  if (text === undefined || text.startsWith('never')) return Number.POSITIVE_INFINITY;
  const epoch = /^epoch (\d+)/.exec(text)?.[1];
  if (epoch !== undefined) return Number(epoch) * 1000;
  const [, year, month, day, time] = /^\d (\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d)/.exec(text) ?? [];
  return Date.parse(`${year}-${month}-${day}T${time}Z`);
}

/** Parses dhcpd.leases(5), a journal: of an address's entries the last counts. */
export function parseDhcpdLeases(text: string, nowMs: number): Sighting[] {
  const found = new Map<string, Sighting>();
  for (const [, ip = '', body = ''] of text.matchAll(/^lease\s+(\S+)\s*\{$([\s\S]*?)^\}/gm)) {
    const address = normalAddress(ip);
    if (address === null) continue;
    const field = (pattern: RegExp) => pattern.exec(body)?.[1];
    const ends = parseTime(field(/^\s*ends\s+([^;]*);/m));
    if (field(/^\s*binding state\s+(\w+);/m) !== 'active' || !(ends >= nowMs)) {
      found.delete(address);
      continue;
    }
    found.set(address, {
      address,
      name: deviceName(unquoted(field(/^\s*client-hostname\s+("(?:[^"\\]|\\.)*");/m))),
      mac: parseMac(field(/^\s*hardware ethernet\s+([^;]*);/m) ?? ''),
      lease: ends === Number.POSITIVE_INFINITY ? 'static' : 'dynamic',
      source: 'isc-dhcpd',
    });
  }
  return [...found.values()];
}

/** Host declarations with a fixed address in dhcpd.conf(5). */
export function parseDhcpdConfig(text: string): Sighting[] {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|#[^\n]*/g, (token) => (token.startsWith('"') ? token : ''));
  return [...bare.matchAll(/\bhost\s+("[^"]*"|[^\s{]+)\s*\{([^}]*)\}/g)].flatMap(([, name, body = '']) => {
    const addresses = /\bfixed-address\s+([^;]+);/.exec(body)?.[1]?.split(',') ?? [];
    const mac = parseMac(/\bhardware\s+ethernet\s+([^;]+);/.exec(body)?.[1] ?? '');
    return addresses.flatMap((ip) => {
      const address = normalAddress(ip.trim());
      if (address === null) return [];
      return [{ address, name: deviceName(unquoted(name)), mac, lease: 'reserved', source: 'isc-dhcpd' } as const];
    });
  });
}
