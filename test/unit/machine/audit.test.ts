import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AuditEvidence, auditRows, listReach, parseListen } from '../../../src/machine/audit.ts';
import type { Listener } from '../../../src/machine/sockets.ts';
import type { Reach } from '../../../src/model/cidr.ts';
import { Forward } from '../../../src/model/config.ts';
import { findings } from '../../../src/model/findings.ts';
import { configuredListen, type ForwardView, viewForward } from '../../../src/model/snapshot.ts';

const engine = 100;
const none: AuditEvidence = {
  listeners: [],
  forwards: [],
  kernelMappings: [],
  routerMappings: [],
  ourPids: new Set([engine]),
  ownAddresses: ['192.168.1.1'],
  externalAddress: '203.0.113.9',
  nowMs: Date.parse('2026-11-23T12:00:00Z'),
};

function listener(text: string, program: string | null = 'python3', pid: number | null = 7): Listener {
  const range = parseListen(text);
  if (range === null) throw new Error(text);
  const { protos, address, first } = range;
  return { proto: protos[0] ?? 'tcp', address, port: first, inode: 1, uid: 0, pid, program, user: 'root' };
}

/** A forward that is up, and its listeners in the engine where it has some. */
function forward(config: object, more: Partial<ForwardView> = {}) {
  const parsed = Forward.parse({ enabled: true, ...config });
  const entry = { config: parsed, link: null, probe: null, lastError: null, opened: [], history: [] };
  const at = configuredListen(parsed);
  const view = {
    ...viewForward({ ...entry, listener: { is: 'open', at, since: '2026-11-23T11:00:00Z' } }, {}),
    ...more,
  };
  return { config: parsed, view };
}

const kernel = (more: object = {}) => ({
  owner: 'web',
  proto: 'tcp' as const,
  external: { address: null, first: 8080, last: 8080 },
  internal: { address: '192.168.1.20', first: 80 },
  allow: [],
  deny: [],
  ...more,
});
const router = (more: object = {}) => ({
  proto: 'tcp' as const,
  external: 8080,
  internal: '192.168.1.50:80',
  lease: 3600,
  description: '',
  ours: false,
  ...more,
});

const only = (evidence: Partial<AuditEvidence>) => {
  const rows = auditRows({ ...none, ...evidence });
  expect(rows).toHaveLength(1);
  return rows[0];
};

describe('listeners of other programs', () => {
  test.each([
    ['0.0.0.0:8000', 'world', 'unmanaged_world', 'medium'],
    ['[::]:8000', 'world', 'unmanaged_world', 'medium'],
    ['203.0.113.9:8000', 'world', 'unmanaged_world', 'medium'],
    ['0.0.0.0:6379', 'world', 'sensitive_world', 'high'],
    ['192.168.1.1:8000', 'lan', 'unmanaged_lan', 'low'],
    ['192.168.1.1:6379', 'lan', 'sensitive_lan', 'low'],
    ['127.0.0.1:6379', 'host', null, undefined],
    ['[::1]:8000', 'host', null, undefined],
    ['udp/0.0.0.0:68', 'world', 'client_socket', 'low'],
    ['udp/0.0.0.0:40000', 'world', 'client_socket', 'low'],
    ['udp/0.0.0.0:5060', 'world', 'unmanaged_world', 'medium'],
  ])('%s: reach %s, %s', (at, reach, code, level) => {
    const row = only({ listeners: [listener(at)] });
    expect(row).toMatchObject({ owner: 'python3 (pid 7)', reach, layer: 'address' });
    expect([row?.finding?.code ?? null, row?.finding?.level]).toEqual([code, level]);
  });

  test('the SSH server of a jump server is expected, a -R forward it holds is not', () => {
    expect(only({ listeners: [listener('0.0.0.0:22', 'sshd')] })?.finding?.level).toBe('low');
    expect(only({ listeners: [listener('0.0.0.0:22', 'nc')] })?.finding?.level).toBe('medium');
    expect(only({ listeners: [listener('0.0.0.0:9000', 'sshd')] })).toMatchObject({
      layer: 'sshd',
      finding: { code: 'sshd_forward', level: 'medium' },
    });
  });

  test('without the right to look, the user is named', () => {
    expect(only({ listeners: [listener('0.0.0.0:8000', null, null)] })?.owner).toBe('a program of root');
  });

  test('one a kernel mapping takes the port from', () => {
    const rows = auditRows({
      ...none,
      listeners: [listener('192.168.1.1:8080')],
      kernelMappings: [kernel({ allow: ['203.0.113.0/24'] })],
    });
    expect(rows.map((row) => row.finding?.code)).toEqual([undefined, 'shadowed']);
  });
});

describe('a kernel mapping over a port that a program listens on', () => {
  const at = (...texts: string[]) =>
    auditRows({ ...none, listeners: texts.map((text) => listener(text, 'httpd')), kernelMappings: [kernel()] })
      .filter(({ layer }) => layer === 'address')
      .map(({ address, finding }) => [address, finding?.code]);

  test('of IPv4 leaves the IPv6 listener what it had', () => {
    expect(at('0.0.0.0:8080', '[::]:8080')).toEqual([
      ['::', 'unmanaged_world'],
      ['0.0.0.0', 'shadowed'],
    ]);
    expect(at('[2001:db8::1]:8080')).toEqual([['2001:db8::1', 'unmanaged_world']]);
  });

  test('takes it from one that listens for both families', () => {
    expect(at('[::]:8080')).toEqual([['::', 'shadowed']]);
  });

  test('at one public address leaves the listener at another alone', () => {
    const [row] = auditRows({
      ...none,
      listeners: [listener('198.51.100.7:8080', 'httpd')],
      kernelMappings: [kernel({ external: { address: '203.0.113.5', first: 8080, last: 8080 } })],
    }).filter(({ layer }) => layer === 'address');
    expect(row?.finding?.code).toBe('unmanaged_world');
  });
});

describe('forwards of the engine', () => {
  const relay = { name: 'web', kind: 'mapping', target: { host: '192.168.1.20', port: 80 } };

  test.each([
    [
      'a relay on every address',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 } },
      '0.0.0.0:8080',
      'world',
      'address',
      'open_to_world',
    ],
    [
      'its IPv6 half',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 } },
      '[::]:8080',
      'world',
      'address',
      'open_to_world',
    ],
    [
      'a relay to a database',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 }, target: { host: 'db', port: 5432 } },
      '0.0.0.0:8080',
      'world',
      'address',
      'sensitive_world',
    ],
    [
      'a relay with a list',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 }, allow: ['203.0.113.0/24'] },
      '0.0.0.0:8080',
      'world',
      'list',
      undefined,
    ],
    [
      'a relay for the LAN by list',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 }, allow: ['192.168.0.0/16'] },
      '0.0.0.0:8080',
      'lan',
      'list',
      undefined,
    ],
    [
      'a list that lets all in',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 }, allow: ['0.0.0.0/0'] },
      '0.0.0.0:8080',
      'world',
      'list',
      'open_to_world',
    ],
    ['a relay at home', { ...relay, listen: { port: 8080 } }, '127.0.0.1:8080', 'host', 'address', undefined],
    [
      'lists that cancel out',
      { ...relay, listen: { address: '0.0.0.0', port: 8080 }, allow: ['203.0.113.0/25'], deny: ['203.0.113.0/24'] },
      '0.0.0.0:8080',
      'world',
      'list',
      'rule_shadowed',
    ],
    [
      'a SOCKS server at home',
      { name: 'web', kind: 'dynamic', host: 'h', listen: { port: 1080 } },
      '[::1]:1080',
      'host',
      'address',
      undefined,
    ],
    [
      'a SOCKS server for the LAN',
      { name: 'web', kind: 'dynamic', host: 'h', listen: { address: '192.168.1.1', port: 1080 } },
      '192.168.1.1:1080',
      'lan',
      'address',
      'socks_open',
    ],
    [
      'a SOCKS server with a list',
      { name: 'web', kind: 'dynamic', host: 'h', listen: { address: '*', port: 1080 }, allow: ['10.0.0.0/8'] },
      '0.0.0.0:1080',
      'lan',
      'list',
      'socks_listed',
    ],
    [
      'a SOCKS server with a login',
      {
        name: 'web',
        kind: 'dynamic',
        host: 'h',
        listen: { address: '*', port: 1080 },
        login: { user: 'a', passwordFile: '/p' },
        allow: ['10.0.0.0/8'],
      },
      '0.0.0.0:1080',
      'lan',
      'list',
      undefined,
    ],
    [
      'a tunnel on every address',
      { name: 'web', kind: 'local', host: 'h', listen: { address: '*', port: 8080 }, target: { host: 'a', port: 1 } },
      '0.0.0.0:8080',
      'world',
      'address',
      'open_to_world',
    ],
  ])('%s', (_, config, at, reach, layer, code) => {
    const row = only({ listeners: [listener(at, 'node', engine)], forwards: [forward(config)] });
    expect(row).toMatchObject({ owner: 'web', reach, layer });
    expect(row?.finding?.code).toBe(code);
  });

  test('a target that does not answer', () => {
    const forwards = [forward({ ...relay, listen: { port: 8080 } }, { state: 'degraded' })];
    expect(only({ listeners: [listener('127.0.0.1:8080', 'node', engine)], forwards })?.finding?.code).toBe(
      'target_silent',
    );
  });

  test('what no forward explains is still ours', () => {
    expect(only({ listeners: [listener('127.0.0.1:9100', 'node', engine)] })?.owner).toBe('sallyport (pid 100)');
    const announcements = only({ listeners: [listener('udp/0.0.0.0:5350', 'node', engine)] });
    expect(announcements).toMatchObject({ owner: 'sallyport (pid 100)', finding: null });
    expect(only({ listeners: [listener('tcp/0.0.0.0:5350', 'node', engine)] })?.finding?.code).toBe('unmanaged_world');
  });

  test("another program on a forward's port is not taken for it", () => {
    const forwards = [forward({ ...relay, listen: { address: '0.0.0.0', port: 8080 } })];
    expect(only({ listeners: [listener('0.0.0.0:8080')], forwards })?.owner).toBe('python3 (pid 7)');
  });
});

describe('mappings of the kernel', () => {
  test.each([
    [kernel(), 'world', 'open_to_world'],
    [kernel({ allow: ['203.0.113.0/24'] }), 'world', undefined],
    [kernel({ allow: ['10.0.0.0/8', 'fd00::/8'] }), 'lan', undefined],
    [kernel({ internal: { address: '192.168.1.20', first: 3389 } }), 'world', 'sensitive_world'],
    [kernel({ external: { address: '192.168.1.1', first: 8080, last: 8080 } }), 'lan', undefined],
    [
      kernel({ external: { address: null, first: 1, last: 65_535 }, internal: { address: '192.168.1.20', first: 1 } }),
      'world',
      'open_to_world',
    ],
  ])('%j', (mapping, reach, code) => {
    const row = only({ kernelMappings: [mapping] });
    expect(row).toMatchObject({ owner: 'web', layer: 'nftables', reach });
    expect(row?.finding?.code).toBe(code);
  });

  test('one to an IPv6 address is open on those of this machine', () => {
    const six = kernel({ internal: { address: '2001:db8::20', first: 80 } });
    expect(only({ kernelMappings: [six] })?.address).toBe('::');
  });

  test('a range is one row', () => {
    expect(only({ kernelMappings: [kernel({ external: { address: null, first: 1000, last: 1010 } })] })).toMatchObject({
      port: 1000,
      last: 1010,
    });
  });
});

describe('behind the firewall of the machine', () => {
  const behind = (admitted: Reach | null, at: string, program = 'python3', pid = 7) =>
    only({ listeners: [listener(at, program, pid)], firewall: { admits: () => admitted } });
  const relay = {
    name: 'web',
    kind: 'mapping',
    listen: { address: '0.0.0.0', port: 8080 },
    target: { host: 'a', port: 80 },
  };
  const socks = { name: 'web', kind: 'dynamic', host: 'h', listen: { address: '*', port: 8080 } };
  const local = ['192.168.0.0/16'];

  test.each([
    ['0.0.0.0:8000', 'host', 'host', 'firewall', undefined],
    ['0.0.0.0:6379', 'lan', 'lan', 'firewall', 'sensitive_lan'],
    ['0.0.0.0:8000', 'lan', 'lan', 'firewall', 'unmanaged_lan'],
    ['0.0.0.0:6379', 'world', 'world', 'firewall', undefined],
    ['0.0.0.0:6379', null, 'world', 'address', 'sensitive_world'],
    ['192.168.1.1:8000', 'host', 'host', 'firewall', undefined],
    ['192.168.1.1:8000', 'lan', 'lan', 'address', 'unmanaged_lan'],
    ['192.168.1.1:8000', 'world', 'lan', 'address', 'unmanaged_lan'],
    ['127.0.0.1:8000', 'host', 'host', 'address', undefined],
  ] as const)('%s, which it lets %s reach: %s', (at, admitted, reach, layer, code) => {
    const row = behind(admitted, at);
    expect(row).toMatchObject({ reach, layer });
    expect(row?.finding?.code).toBe(code);
  });

  test('the SSH server is what it is, and a -R forward stays one for whom it lets in', () => {
    expect(behind('lan', '0.0.0.0:22', 'sshd')?.finding?.code).toBe('ssh_server');
    expect(behind('host', '0.0.0.0:22', 'sshd')?.finding).toBeNull();
    expect(behind('world', '0.0.0.0:9000', 'sshd')).toMatchObject({
      layer: 'firewall',
      finding: { code: 'sshd_forward' },
    });
    expect(behind('host', '0.0.0.0:9000', 'sshd')?.finding).toBeNull();
  });

  test.each([
    [relay, 'host', 'host', 'firewall', undefined],
    [relay, 'lan', 'lan', 'firewall', undefined],
    [relay, 'world', 'world', 'firewall', undefined],
    [relay, null, 'world', 'address', 'open_to_world'],
    [{ ...relay, allow: local }, 'world', 'lan', 'list', undefined],
    [{ ...relay, allow: local }, 'lan', 'lan', 'list', undefined],
    [{ ...relay, allow: local }, 'host', 'host', 'firewall', undefined],
    [{ ...relay, allow: ['203.0.113.0/24'] }, 'world', 'world', 'list', undefined],
    [{ ...relay, allow: ['203.0.113.0/24'] }, 'lan', 'lan', 'firewall', undefined],
    [socks, 'host', 'host', 'firewall', undefined],
    [socks, 'lan', 'lan', 'firewall', 'socks_listed'],
    [socks, null, 'world', 'address', 'socks_open'],
  ] as const)('%j, which it lets %s reach: %s by %s', (config, admitted, reach, layer, code) => {
    const firewall = { admits: () => admitted };
    const row = only({ listeners: [listener('0.0.0.0:8080', 'node', engine)], forwards: [forward(config)], firewall });
    expect(row).toMatchObject({ owner: 'web', reach, layer });
    expect(row?.finding?.code).toBe(code);
  });

  test('what the kernel or the router leads on is none of its business', () => {
    const firewall = { admits: () => 'host' as const };
    expect(only({ kernelMappings: [kernel()], firewall })).toMatchObject({ reach: 'world', layer: 'nftables' });
    expect(only({ routerMappings: [router()], firewall })).toMatchObject({ reach: 'world', layer: 'router' });
  });
});

describe('ports in a row', () => {
  const range = forward({
    name: 'voice',
    kind: 'mapping',
    proto: 'udp',
    listen: { address: '0.0.0.0', port: 5000, last: 5004 },
    target: { host: '192.168.1.20', port: 5000 },
  });
  const ports = [5000, 5001, 5003, 5004];

  test('of a forward are one row, as far as the same is to be said of them', () => {
    const listeners = ports.map((port) => ({ ...listener(`udp/0.0.0.0:${port}`, 'node', engine) }));
    const rows = auditRows({ ...none, listeners, forwards: [range] });
    expect(rows.map(({ port, last, owner }) => [port, last, owner])).toEqual([
      [5000, 5001, 'voice'],
      [5003, 5004, 'voice'],
    ]);
  });

  test('of which one leads to a sensitive service are said apart', () => {
    const screens = forward({
      name: 'screens',
      kind: 'mapping',
      listen: { address: '0.0.0.0', port: 16_000, last: 16_002 },
      target: { host: '192.168.1.20', port: 5999 },
    });
    const listeners = [16_000, 16_001, 16_002].map((port) => listener(`0.0.0.0:${port}`, 'node', engine));
    const rows = auditRows({ ...none, listeners, forwards: [screens] });
    expect(rows.map(({ port, last, finding }) => [port, last, finding?.code])).toEqual([
      [16_000, undefined, 'open_to_world'],
      [16_001, undefined, 'sensitive_world'],
      [16_002, undefined, 'open_to_world'],
    ]);
  });

  test('of another program stay rows of their own', () => {
    const listeners = ports.map((port) => listener(`tcp/0.0.0.0:${port}`));
    expect(auditRows({ ...none, listeners })).toHaveLength(4);
  });
});

describe('mappings of the router', () => {
  const config = {
    name: 'game',
    kind: 'mapping',
    via: 'router',
    listen: { port: 8080 },
    target: { host: '192.168.1.50', port: 80 },
  };

  test.each([
    [router(), [], 'router', 'router_foreign'],
    [router({ ours: true }), [], 'router', 'router_leftover'],
    [router({ ours: true }), [forward(config)], 'game', 'router_open'],
    [router({ ours: true }), [forward({ ...config, enabled: false })], 'game', 'router_leftover'],
    [
      router({ ours: true }),
      [forward({ ...config, until: '2026-11-23T11:00:00Z', enabled: false })],
      'game',
      'router_expired',
    ],
    [router({ ours: true, internal: '192.168.1.50:3389' }), [forward(config)], 'game', 'sensitive_world'],
  ])('%j', (mapping, forwards, owner, code) => {
    const row = only({ routerMappings: [mapping], forwards });
    expect(row).toMatchObject({ address: '203.0.113.9', owner, reach: 'world', layer: 'router' });
    expect(row?.finding?.code).toBe(code);
  });

  test('one that leads here to nobody', () => {
    const mapping = router({ internal: '192.168.1.1:8080' });
    expect(only({ routerMappings: [mapping] })?.finding?.code).toBe('router_foreign');
    const alone = auditRows({ ...none, routerMappings: [{ ...mapping, ours: true }] });
    expect(alone[0]?.finding?.code).toBe('router_leftover');
  });
});

test('every code has its level, and rows stay in the order of ports', () => {
  for (const [code, { level, message, advice }] of Object.entries(findings)) {
    expect(['low', 'medium', 'high'], code).toContain(level);
    expect(`${message}${advice}`, code).not.toMatch(/\.$|\n/);
  }
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          port: fc.integer({ min: 1, max: 65_535 }).filter((port) => port !== 5350),
          address: fc.constantFrom('0.0.0.0', '127.0.0.1', '::', '::1', '192.168.1.1', '8.8.8.8'),
          proto: fc.constantFrom('tcp' as const, 'udp' as const),
          pid: fc.constantFrom(null, 7, engine),
        }),
      ),
      (sockets) => {
        const listeners = sockets.map((socket) => ({ ...socket, inode: 1, uid: 0, program: 'x', user: 'root' }));
        const rows = auditRows({ ...none, listeners });
        expect(rows).toHaveLength(listeners.length);
        for (const [i, row] of rows.entries()) {
          expect(row.port).toBeGreaterThanOrEqual(rows[i - 1]?.port ?? 0);
          // What only this machine reaches is never a finding, what anybody reaches always is.
          if (row.reach === 'host') expect(row.finding).toBeNull();
          if (row.reach === 'world') expect(row.finding).not.toBeNull();
          if (row.finding) expect(Object.keys(findings)).toContain(row.finding.code);
        }
      },
    ),
  );
});

test.each([
  [[], 'world'],
  [['0.0.0.0/0'], 'world'],
  [['10.0.0.0/7'], 'world'],
  [['10.0.0.0/8', '203.0.113.7'], 'world'],
  [['10.0.0.0/8'], 'lan'],
  [['fc00::/7'], 'lan'],
  [['127.0.0.1', '::1'], 'host'],
])('a list of %j lets in the %s', (allow, reach) => {
  expect(listReach(allow)).toBe(reach);
});
