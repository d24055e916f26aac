import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import ipaddr from 'ipaddr.js';
import type { Device } from '../model/reports.ts';
import { parseDnsmasqConfig, parseDnsmasqLeases } from './devices/dnsmasq.ts';
import { parseHosts } from './devices/hosts.ts';
import { parseDhcpdConfig, parseDhcpdLeases } from './devices/isc-dhcpd.ts';
import { parseKeaConfig, parseKeaLeases } from './devices/kea.ts';
import { parseArp, parseIpNeigh } from './devices/neighbours.ts';
import { parseNetworkdLease, parseNetworkdServer } from './devices/networkd.ts';
import type { Sighting } from './devices/sighting.ts';
import { parseVendors, vendorFiles, vendorPrefix } from './devices/vendors.ts';
import { interfaceAddresses } from './interfaces.ts';

export interface DeviceOptions {
  /** Folder that stands for `/`; with one the kernel is not asked, and only the files below it count. */
  readonly root?: string;
  readonly nowMs?: number;
  /** Addresses of this machine, which are no devices. */
  readonly own?: readonly string[];
}

/** A file's text, null when it is not there or not ours to read. */
const textOf = (file: string) => readFile(file, 'utf8').catch(() => null);

async function filesIn(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}

/** What a parser finds in these files; a file it cannot make sense of adds nothing. */
async function gather(files: readonly string[], parse: (text: string) => Sighting[]): Promise<Sighting[]> {
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await textOf(file);
      try {
        return text === null ? [] : parse(text);
      } catch {
        return [];
      }
    }),
  );
  return found.flat();
}

/** Who the kernel has heard on its links: by ip(8) with IPv6, else the ARP table. */
export async function neighbours(root = '/'): Promise<Sighting[]> {
  if (root === '/') {
    try {
      const { stdout } = await promisify(execFile)('ip', ['-j', 'neigh'], {
        timeout: 5000,
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
      });
      return parseIpNeigh(stdout);
    } catch {}
  }
  return parseArp((await textOf(path.join(root, 'proc/net/arp'))) ?? '');
}

async function sightings({ root = '/', nowMs = Date.now() }: DeviceOptions): Promise<Sighting[]> {
  const at = (file: string) => path.join(root, file);
  const dnsmasqFiles = [at('etc/dnsmasq.conf'), ...(await filesIn(at('etc/dnsmasq.d'), /^[^.#][^~#]*$/))];
  const dnsmasq = (await Promise.all(dnsmasqFiles.map(textOf))).map((text) => parseDnsmasqConfig(text ?? ''));
  const leaseFiles = new Set([
    ...dnsmasq.flatMap((one) => one.leaseFiles.map(at)),
    at('tmp/dhcp.leases'),
    ...(await filesIn(at('var/lib/misc'), /^dnsmasq.*\.leases$/)),
    ...(await filesIn(at('var/lib/dnsmasq'), /\.leases$/)),
    ...(await filesIn(at('var/lib/NetworkManager'), /^dnsmasq-.*\.leases$/)),
    ...(await filesIn(at('var/lib/libvirt/dnsmasq'), /\.leases$/)),
  ]);
  const found = await Promise.all([
    neighbours(root),
    dnsmasq.flatMap((one) => one.reservations),
    gather([...leaseFiles], (text) => parseDnsmasqLeases(text, nowMs)),
    gather([at('var/lib/kea/kea-leases4.csv')], (text) => parseKeaLeases(text, nowMs)),
    gather([at('etc/kea/kea-dhcp4.conf')], parseKeaConfig),
    gather([at('var/lib/dhcp/dhcpd.leases')], (text) => parseDhcpdLeases(text, nowMs)),
    gather([at('etc/dhcp/dhcpd.conf')], parseDhcpdConfig),
    gather(await filesIn(at('run/systemd/netif/leases'), /^\d+$/), parseNetworkdLease),
    gather(await filesIn(at('var/lib/systemd/network/dhcp-server-lease'), /^[^.]/), (text) =>
      parseNetworkdServer(text, nowMs),
    ),
    gather([at('etc/hosts')], parseHosts),
  ]);
  return found.flat();
}

/** A reservation outranks the lease it made, and a lease the belief that an address stays. */
const leaseRank = ['unknown', 'static', 'dynamic', 'reserved'] as const;

/** One device an address, with the best each source knows, in the order of addresses. */
export function mergeSightings(seen: readonly Sighting[]): Device[] {
  const merged = new Map<string, Device>();
  for (const { address, name, mac, lease, source } of seen) {
    const known = merged.get(address);
    const better = known === undefined || leaseRank.indexOf(lease) > leaseRank.indexOf(known.lease);
    merged.set(address, {
      name: known?.name ?? name,
      address,
      mac: known?.mac ?? mac,
      lease: better ? lease : known.lease,
      source: better ? source : known.source,
    });
  }
  const order = (address: string) =>
    ipaddr
      .parse(address)
      .toByteArray()
      .map((byte) => String.fromCharCode(byte))
      .join('');
  return [...merged.values()].sort((a, b) => {
    const [left, right] = [order(a.address), order(b.address)];
    return left.length - right.length || (left < right ? -1 : 1);
  });
}

async function vendorsOf(macs: readonly string[], root: string): Promise<Map<string, string>> {
  const prefixes = new Set(macs.map(vendorPrefix).filter((prefix) => prefix !== null));
  if (prefixes.size === 0) return new Map();
  for (const file of vendorFiles) {
    const text = await textOf(path.join(root, file));
    if (text !== null) return parseVendors(text, prefixes);
  }
  return new Map();
}

/**
 * The machines on the inside, one an address: neighbours, DHCP leases and reservations of the servers on this machine,
 * and named hosts, with what is known of each.
 */
export async function devices(options: DeviceOptions = {}): Promise<Device[]> {
  const { root = '/', own = interfaceAddresses().map((entry) => entry.address) } = options;
  const mine = new Set(own);
  const found = mergeSightings((await sightings(options)).filter(({ address }) => !mine.has(address)));
  const vendors = await vendorsOf(
    found.flatMap(({ mac }) => mac ?? []),
    root,
  );
  return found.map((device) => ({ ...device, vendor: vendors.get(vendorPrefix(device.mac ?? '') ?? '') ?? null }));
}
