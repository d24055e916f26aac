import { normalAddress } from '../../model/cidr.ts';
import { deviceName, parseMac, type Sighting } from './sighting.ts';

/**
 * Parses a lease file of dnsmasq: expiry (seconds, 0 for never), MAC, address, name, client id. Leases of DHCPv6 come
 * after a `duid` line and have an IAID instead of the MAC.
 */
export function parseDnsmasqLeases(text: string, nowMs: number): Sighting[] {
  return text.split('\n').flatMap((line) => {
    const [expiry = '', hardware = '', ip = '', name] = line.trim().split(/\s+/);
    const address = normalAddress(ip);
    if (!/^\d+$/.test(expiry) || address === null) return [];
    const expires = Number(expiry);
    if (expires !== 0 && expires * 1000 < nowMs) return [];
    // A hardware type other than Ethernet stands before the address, as in 06-aa:bb:….
    const mac = parseMac(hardware.replace(/^[0-9a-f]{2}-(?=.*:)/i, ''));
    const lease = expires === 0 ? 'static' : 'dynamic';
    return [{ address, name: deviceName(name), mac, lease, source: 'dnsmasq' } as const];
  });
}

/** Reservations (`dhcp-host=`) with an address, and lease files named, in dnsmasq.conf(5) syntax. */
export function parseDnsmasqConfig(text: string): { reservations: Sighting[]; leaseFiles: string[] } {
  const reservations: Sighting[] = [];
  const leaseFiles: string[] = [];
  for (const raw of text.split('\n')) {
    const [, key, value = ''] = /^\s*(dhcp-host|dhcp-leasefile)\s*=\s*(.*?)\s*(?:#.*)?$/.exec(raw) ?? [];
    if (key === 'dhcp-leasefile') leaseFiles.push(value);
    if (key !== 'dhcp-host') continue;
    let mac: string | null = null;
    let name: string | null = null;
    const addresses: string[] = [];
    for (const word of value.split(',').map((part) => part.trim())) {
      const address = normalAddress(word);
      if (address !== null) addresses.push(address);
      else if (parseMac(word) !== null) mac ??= parseMac(word);
      // Client ids, tags, the word `ignore` and the lease time are what else may stand there.
      else if (/^[a-z0-9_](?:[a-z0-9_.-]*)$/i.test(word) && !/^(?:ignore|infinite|\d+[smhdw]?)$/i.test(word)) {
        name ??= deviceName(word);
      }
    }
    for (const address of addresses) reservations.push({ address, name, mac, lease: 'reserved', source: 'dnsmasq' });
  }
  return { reservations, leaseFiles };
}
