import { normalAddress } from '../../model/cidr.ts';
import { parseMac, type Sighting } from './sighting.ts';

const dead = new Set(['FAILED', 'INCOMPLETE', 'NONE']);

/** Parses the output of `ip -j neigh`, see ip-neighbour(8). Neighbours that do not answer are left out. */
export function parseIpNeigh(json: string): Sighting[] {
  const rows: unknown = JSON.parse(json.trim() || '[]');
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: { dst?: unknown; lladdr?: unknown; state?: unknown }) => {
    const address = typeof row?.dst === 'string' ? normalAddress(row.dst) : null;
    const mac = typeof row?.lladdr === 'string' ? parseMac(row.lladdr) : null;
    const states = Array.isArray(row?.state) ? row.state.map(String) : [];
    if (address === null || mac === null || mac === '00:00:00:00:00:00' || states.some((state) => dead.has(state))) {
      return [];
    }
    const lease = states.includes('PERMANENT') ? 'static' : 'unknown';
    return [{ address, name: null, mac, lease, source: 'neighbour', fresh: states.includes('REACHABLE') } as const];
  });
}

/** Parses /proc/net/arp, see proc(5): IPv4 only. */
export function parseArp(text: string): Sighting[] {
  const [complete, permanent] = [0x2, 0x4];
  return text.split('\n').flatMap((line) => {
    const [ip = '', , flags = '', hardware = ''] = line.trim().split(/\s+/);
    const [address, mac, bits] = [normalAddress(ip), parseMac(hardware), Number.parseInt(flags, 16)];
    if (address === null || mac === null || !(bits & complete)) return [];
    return [{ address, name: null, mac, lease: bits & permanent ? 'static' : 'unknown', source: 'neighbour' } as const];
  });
}
