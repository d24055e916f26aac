import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseDnsmasqConfig, parseDnsmasqLeases } from '../../../src/machine/devices/dnsmasq.ts';
import { parseHosts } from '../../../src/machine/devices/hosts.ts';
import { parseDhcpdConfig, parseDhcpdLeases } from '../../../src/machine/devices/isc-dhcpd.ts';
import { parseKeaConfig, parseKeaLeases, plainJson } from '../../../src/machine/devices/kea.ts';
import { parseArp, parseIpNeigh } from '../../../src/machine/devices/neighbours.ts';
import { parseNetworkdLease, parseNetworkdServer } from '../../../src/machine/devices/networkd.ts';
import { deviceName, parseMac } from '../../../src/machine/devices/sighting.ts';
import { parseVendors } from '../../../src/machine/devices/vendors.ts';
import { devices, mergeSightings } from '../../../src/machine/devices.ts';

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const soon = nowMs / 1000 + 3600;
const past = nowMs / 1000 - 3600;

test.each([
  ['AA-BB-CC-DD-EE-FF', 'aa:bb:cc:dd:ee:ff'],
  ['aa:bb:cc:dd:ee:ff', 'aa:bb:cc:dd:ee:ff'],
  ['0:b:c:d:e:f', '00:0b:0c:0d:0e:0f'],
  ['aabb.ccdd.eeff', 'aa:bb:cc:dd:ee:ff'],
  ['aa:bb:cc:dd:ee', null],
  ['01:aa:bb:cc:dd:ee:ff', null],
  ['aa-bb:cc-dd-ee-ff', null],
  ['192.168.1.1', null],
  ['fe80::1', null],
])('the MAC address %s is %s', (text, mac) => {
  expect(parseMac(text)).toBe(mac);
});

test('names from outside lose their control characters', () => {
  expect(deviceName('tv\u001b[31m\u0000.')).toBe('tv[31m');
  expect(deviceName('*')).toBeNull();
});

describe('neighbours', () => {
  test('of ip -j neigh, the living ones', () => {
    const json = JSON.stringify([
      { dst: '192.168.1.20', dev: 'eth0', lladdr: '52:54:00:AA:00:01', state: ['REACHABLE'] },
      { dst: '192.168.1.21', dev: 'eth0', lladdr: '52:54:00:aa:00:02', state: ['STALE'] },
      { dst: '192.168.1.22', dev: 'eth0', lladdr: '52:54:00:aa:00:03', state: ['PERMANENT'] },
      { dst: '192.168.1.23', dev: 'eth0', state: ['FAILED'] },
      { dst: '192.168.1.24', dev: 'eth0', lladdr: '52:54:00:aa:00:04', state: ['FAILED'] },
      { dst: 'fe80::1', dev: 'eth0', lladdr: '52:54:00:aa:00:05', router: null, state: ['DELAY'] },
    ]);
    expect(parseIpNeigh(json).map(({ address, mac, lease, fresh }) => [address, mac, lease, fresh])).toEqual([
      ['192.168.1.20', '52:54:00:aa:00:01', 'unknown', true],
      ['192.168.1.21', '52:54:00:aa:00:02', 'unknown', false],
      ['192.168.1.22', '52:54:00:aa:00:03', 'static', false],
      ['fe80::1', '52:54:00:aa:00:05', 'unknown', false],
    ]);
    expect(parseIpNeigh('')).toEqual([]);
  });

  test('of the ARP table, the complete ones', () => {
    const text = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.20     0x1         0x2         52:54:00:aa:00:01     *        eth0
192.168.1.21     0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.1.22     0x1         0x6         52:54:00:aa:00:03     *        eth0
`;
    expect(parseArp(text).map(({ address, lease }) => [address, lease])).toEqual([
      ['192.168.1.20', 'unknown'],
      ['192.168.1.22', 'static'],
    ]);
  });
});

describe('dnsmasq', () => {
  test('leases that still run, both families', () => {
    const text = `${soon} 52:54:00:aa:00:01 192.168.1.20 nas 01:52:54:00:aa:00:01
${past} 52:54:00:aa:00:02 192.168.1.21 gone *
0 52:54:00:aa:00:03 192.168.1.22 * *
${soon} 06-52:54:00:aa:00:04 192.168.1.23 odd *
duid 00:01:00:01:2a
${soon} 4660 2001:db8::20 nas 00:01:00:01:2b
half a line
`;
    expect(parseDnsmasqLeases(text, nowMs)).toEqual([
      { address: '192.168.1.20', name: 'nas', mac: '52:54:00:aa:00:01', lease: 'dynamic', source: 'dnsmasq' },
      { address: '192.168.1.22', name: null, mac: '52:54:00:aa:00:03', lease: 'static', source: 'dnsmasq' },
      { address: '192.168.1.23', name: 'odd', mac: '52:54:00:aa:00:04', lease: 'dynamic', source: 'dnsmasq' },
      { address: '2001:db8::20', name: 'nas', mac: null, lease: 'dynamic', source: 'dnsmasq' },
    ]);
  });

  test('reservations in every spelling', () => {
    const { reservations, leaseFiles } = parseDnsmasqConfig(`
# dhcp-host=aa:aa:aa:aa:aa:aa,192.168.1.9
dhcp-range=192.168.1.50,192.168.1.150,12h
dhcp-leasefile=/var/lib/leases
dhcp-host=11:22:33:44:55:66,192.168.1.60
dhcp-host=11:22:33:44:55:67,fred,192.168.1.61,45m # the printer
dhcp-host=11:22:33:44:55:68,set:kids,infinite,192.168.1.62
dhcp-host=id:01:02:03:04,192.168.1.63,judy
dhcp-host=11:22:33:44:55:69,ignore
dhcp-host=bert,192.168.1.70,[2001:db8::70]
`);
    expect(reservations.map(({ address, name, mac }) => [address, name, mac])).toEqual([
      ['192.168.1.60', null, '11:22:33:44:55:66'],
      ['192.168.1.61', 'fred', '11:22:33:44:55:67'],
      ['192.168.1.62', null, '11:22:33:44:55:68'],
      ['192.168.1.63', 'judy', null],
      ['192.168.1.70', 'bert', null],
      ['2001:db8::70', 'bert', null],
    ]);
    expect(leaseFiles).toEqual(['/var/lib/leases']);
  });
});

describe('Kea', () => {
  test('the last line of an address counts', () => {
    const text = `address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
192.168.1.20,52:54:00:aa:00:01,01:52,3600,${past},1,0,0,old,0,,0
192.168.1.20,52:54:00:aa:00:01,01:52,3600,${soon},1,0,0,nas.example.com.,0,,0
192.168.1.21,52:54:00:aa:00:02,,3600,${soon},1,0,0,phone,0,,0
192.168.1.21,52:54:00:aa:00:02,,0,${past},1,0,0,phone,0,,0
192.168.1.22,52:54:00:aa:00:03,,3600,${soon},1,0,0,declined,1,,0
`;
    expect(parseKeaLeases(text, nowMs)).toEqual([
      { address: '192.168.1.20', name: 'nas.example.com', mac: '52:54:00:aa:00:01', lease: 'dynamic', source: 'kea' },
    ]);
  });

  test('reservations of subnets, shared networks and the whole, comments and all', () => {
    const text = `{ // main
  "Dhcp4": { # the server
    "comment": "a // string, with # and /* marks */ and ,]",
    "reservations": [ { "hw-address": "52:54:00:aa:00:09", "ip-address": "192.168.1.9" }, ],
    "shared-networks": [ { "subnet4": [ { "reservations": [ { "ip-address": "192.168.2.9", "hostname": "tv" } ] } ] } ],
    /* more
       lines */
    "subnet4": [ { "reservations": [
      { "hw-address": "52:54:00:aa:00:08", "ip-address": "192.168.1.8", "hostname": "nas" },
      { "client-id": "01:11", "hostname": "nowhere" }
    ] } ]
  }
}`;
    expect(JSON.parse(plainJson(text)).Dhcp4.comment).toBe('a // string, with # and /* marks */ and ,]');
    expect(parseKeaConfig(text).map(({ address, name, mac, lease }) => [address, name, mac, lease])).toEqual([
      ['192.168.1.9', null, '52:54:00:aa:00:09', 'reserved'],
      ['192.168.2.9', 'tv', null, 'reserved'],
      ['192.168.1.8', 'nas', '52:54:00:aa:00:08', 'reserved'],
    ]);
  });
});

describe('ISC dhcpd', () => {
  test('active leases, the last entry of each', () => {
    const text = `# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;

lease 192.168.2.102 {
  starts 1 2026/11/23 10:00:00;
  ends 1 2026/11/23 10:10:00;
  binding state active;
  hardware ethernet b8:27:eb:42:c9:e9;
  client-hostname "old";
}
lease 192.168.2.102 {
  starts 1 2026/11/23 11:55:00;
  ends 1 2026/11/23 12:55:00;
  cltt 1 2026/11/23 11:55:00;
  binding state active;
  next binding state free;
  hardware ethernet b8:27:eb:42:c9:e9;
  uid "\\001\\270'\\353B}\\311\\351";
  client-hostname "red01";
}
lease 192.168.2.103 {
  ends 1 2026/11/23 12:55:00;
  binding state active;
}
lease 192.168.2.103 {
  ends 1 2026/11/23 11:00:00;
  binding state free;
}
lease 192.168.2.104 {
  ends never;
  binding state active;
  hardware ethernet b8:27:eb:42:c9:ea;
}
lease 192.168.2.105 {
  ends epoch ${soon}; # Mon Nov 23 13:00:00 2026
  binding state active;
}
`;
    expect(parseDhcpdLeases(text, nowMs).map(({ address, name, mac, lease }) => [address, name, mac, lease])).toEqual([
      ['192.168.2.102', 'red01', 'b8:27:eb:42:c9:e9', 'dynamic'],
      ['192.168.2.104', null, 'b8:27:eb:42:c9:ea', 'static'],
      ['192.168.2.105', null, null, 'dynamic'],
    ]);
  });

  test('host declarations', () => {
    const text = `subnet 192.168.2.0 netmask 255.255.255.0 { range 192.168.2.100 192.168.2.200;
  host printer { hardware ethernet 00:11:22:33:44:55; fixed-address 192.168.2.9; }
  # host off { hardware ethernet 00:11:22:33:44:56; fixed-address 192.168.2.10; }
}
host "tv" {
  hardware ethernet 00:11:22:33:44:57;
  fixed-address 192.168.2.11, tv.example.com, 192.168.3.11;
}`;
    expect(parseDhcpdConfig(text).map(({ address, name, mac }) => [address, name, mac])).toEqual([
      ['192.168.2.9', 'printer', '00:11:22:33:44:55'],
      ['192.168.2.11', 'tv', '00:11:22:33:44:57'],
      ['192.168.3.11', 'tv', '00:11:22:33:44:57'],
    ]);
  });
});

describe('systemd-networkd', () => {
  test('router and server of a lease of our own', () => {
    const text = `# This is private data. Do not parse.
ADDRESS=192.168.1.77
NETMASK=255.255.255.0
ROUTER=192.168.1.1
SERVER_ADDRESS=192.168.1.2
DNS=192.168.1.1
`;
    expect(parseNetworkdLease(text).map((one) => one.address)).toEqual(['192.168.1.1', '192.168.1.2']);
  });

  test('leases given out', () => {
    const lease = { ClientId: [1, 2], Hostname: 'w1', HardwareAddress: [198, 229, 80, 28, 236, 2] };
    const json = JSON.stringify({
      Address: [192, 168, 124, 1],
      Leases: [
        { ...lease, Address: [192, 168, 124, 26], ExpirationRealtimeUSec: soon * 1e6 },
        { ...lease, Address: [192, 168, 124, 27], ExpirationRealtimeUSec: past * 1e6 },
        { Address: 'nonsense' },
      ],
      StaticLeases: [{ Address: [192, 168, 124, 30] }],
    });
    expect(parseNetworkdServer(json, nowMs)).toEqual([
      { address: '192.168.124.26', name: 'w1', mac: 'c6:e5:50:1c:ec:02', lease: 'dynamic', source: 'networkd' },
      { address: '192.168.124.30', name: null, mac: null, lease: 'reserved', source: 'networkd' },
    ]);
  });
});

test('named hosts inside', () => {
  const text =
    '127.0.0.1 localhost\n127.0.1.1 me\n# 192.168.1.1 off\n192.168.1.2 nas nas.home # box\n8.8.8.8 dns\n::1 ip6-localhost\nfd00::5 six\n';
  expect(parseHosts(text).map(({ address, name }) => [address, name])).toEqual([
    ['192.168.1.2', 'nas'],
    ['fd00::5', 'six'],
  ]);
});

test.each([
  [
    'ieee',
    '28-6F-B9   (hex)\t\tNokia Shanghai Bell Co., Ltd.\n286FB9     (base 16)\t\tNokia Shanghai Bell Co., Ltd.\n\t\t\t\tNo. 388\n',
  ],
  ['nmap', '# comment\n286FB9 Nokia Shanghai Bell Co., Ltd.\n'],
  ['wireshark', '# c\n28:6F:B9\tNokia\tNokia Shanghai Bell Co., Ltd.\n28:6F:B9:00:00:00/28\tOther\tOther Ltd\n'],
  ['arp-scan', '286fb9\tNokia Shanghai Bell Co., Ltd.\n'],
])('a vendor in the list of %s', (_, text) => {
  expect([...parseVendors(text, new Set(['286FB9', '000000']))]).toEqual([['286FB9', 'Nokia Shanghai Bell Co., Ltd.']]);
});

test('sightings of one address become one device, in the order of addresses', () => {
  const seen = (address: string, more: object) => ({
    address,
    name: null,
    mac: null,
    lease: 'unknown' as const,
    source: 'neighbour',
    ...more,
  });
  expect(
    mergeSightings([
      seen('2001:db8::1', {}),
      seen('192.168.1.20', { mac: '52:54:00:aa:00:01' }),
      seen('192.168.1.20', { lease: 'dynamic', source: 'dnsmasq', name: 'nas' }),
      seen('192.168.1.20', { lease: 'static', source: 'hosts', name: 'other' }),
      seen('192.168.1.3', { lease: 'dynamic', source: 'kea' }),
      seen('192.168.1.3', { lease: 'reserved', source: 'kea' }),
    ]),
  ).toEqual([
    { address: '192.168.1.3', name: null, mac: null, lease: 'reserved', source: 'kea' },
    { address: '192.168.1.20', name: 'nas', mac: '52:54:00:aa:00:01', lease: 'dynamic', source: 'dnsmasq' },
    { address: '2001:db8::1', name: null, mac: null, lease: 'unknown', source: 'neighbour' },
  ]);
});

describe('a whole machine', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  test('its files together, a broken one left out', async () => {
    const root = mkdtempSync(path.join(os.tmpdir(), 'root-'));
    folders.push(root);
    const files: Record<string, string> = {
      'proc/net/arp':
        'IP address HW type Flags HW address Mask Device\n192.168.1.20 0x1 0x2 28:6f:b9:00:00:01 * eth0\n',
      'etc/dnsmasq.d/lan.conf': 'dhcp-host=28:6f:b9:00:00:01,nas,192.168.1.20\ndhcp-leasefile=/srv/leases\n',
      'srv/leases': `${soon} 02:00:00:00:00:02 192.168.1.30 phone *\n`,
      'etc/kea/kea-dhcp4.conf': '{ broken',
      'etc/hosts': '192.168.1.1 gateway\n192.168.1.5 me\n',
      'usr/share/nmap/nmap-mac-prefixes': '286FB9 Nokia\n020000 Nobody\n',
    };
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), text);
    }
    expect(await devices({ root, nowMs, own: ['192.168.1.5'] })).toEqual([
      { address: '192.168.1.1', name: 'gateway', mac: null, lease: 'static', source: 'hosts', vendor: null },
      {
        address: '192.168.1.20',
        name: 'nas',
        mac: '28:6f:b9:00:00:01',
        lease: 'reserved',
        source: 'dnsmasq',
        vendor: 'Nokia',
      },
      {
        address: '192.168.1.30',
        name: 'phone',
        mac: '02:00:00:00:00:02',
        lease: 'dynamic',
        source: 'dnsmasq',
        vendor: null,
      },
    ]);
  });
});
