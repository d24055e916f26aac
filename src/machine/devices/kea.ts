import { normalAddress } from '../../model/cidr.ts';
import { deviceName, parseMac, type Sighting } from './sighting.ts';

const assigned = '0';

/** Parses Kea's lease file (memfile, CSV with a header); of an address's lines the last counts. */
export function parseKeaLeases(text: string, nowMs: number): Sighting[] {
  const [header = '', ...lines] = text.split('\n');
  const columns = header.trim().split(',');
  const found = new Map<string, Sighting>();
  for (const line of lines) {
    const fields = line.trim().split(',');
    const field = (name: string) => fields[columns.indexOf(name)] ?? '';
    const address = normalAddress(field('address'));
    if (address === null) continue;
    const live =
      field('state') === assigned && field('valid_lifetime') !== '0' && Number(field('expire')) * 1000 >= nowMs;
    if (!live) {
      found.delete(address);
      continue;
    }
    const name = deviceName(field('hostname').replaceAll('&#x2c', ','));
    found.set(address, { address, name, mac: parseMac(field('hwaddr')), lease: 'dynamic', source: 'kea' });
  }
  return [...found.values()];
}

/** Takes the comments (`#`, `//` and C's) and the commas too many out of Kea's JSON, and leaves strings alone. */
export function plainJson(text: string): string {
  const tokens = /"(?:[^"\\]|\\.)*"|\/\*[\s\S]*?\*\/|(?:\/\/|#)[^\n]*/g;
  const bare = text.replace(tokens, (token) => (token.startsWith('"') ? token : ' '));
  return bare.replace(/"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])/g, (token) => (token === ',' ? '' : token));
}

interface Reservation {
  readonly 'ip-address'?: unknown;
  readonly 'hw-address'?: unknown;
  readonly hostname?: unknown;
}

/** Reservations with an address in kea-dhcp4.conf, of all subnets and shared networks. */
export function parseKeaConfig(text: string): Sighting[] {
  const found: Sighting[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const child of node) visit(child);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key !== 'reservations' || !Array.isArray(value)) {
        visit(value);
        continue;
      }
      for (const one of value as (Reservation | null)[]) {
        const address = typeof one?.['ip-address'] === 'string' ? normalAddress(one['ip-address']) : null;
        if (address === null) continue;
        const mac = typeof one?.['hw-address'] === 'string' ? parseMac(one['hw-address']) : null;
        const name = typeof one?.hostname === 'string' ? deviceName(one.hostname) : null;
        found.push({ address, name, mac, lease: 'reserved', source: 'kea' });
      }
    }
  };
  visit(JSON.parse(plainJson(text)));
  return found;
}
