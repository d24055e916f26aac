import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayRule } from '../../src/gateways/gateway.ts';
import { LeaseBook } from '../../src/gateways/router/lease-book.ts';
import { readLeases } from '../../src/gateways/router/lease-file.ts';
import { maxPortsPerRule, planLeases } from '../../src/gateways/router/plan.ts';
import { rule } from '../support/router-client.ts';

const own = ['192.168.77.10', '2001:db8:2::10'];
const plan = (...rules: GatewayRule[]) => planLeases(rules, (address) => own.includes(address));
const range = (first: number, last: number, internal: number): Partial<GatewayRule> => ({
  external: { address: null, first, last },
  internal: { address: '', first: internal },
});

describe('what the router is asked for', () => {
  test('a lease for each port and transport, shifted', () => {
    const { ports, refused } = plan(rule('a', 0, 0, range(8000, 8001, 80)), rule('a', 8000, 80, { proto: 'udp' }));
    expect(ports.map(({ key, internal }) => [key, internal.port])).toEqual([
      ['tcp/8000', 80],
      ['tcp/8001', 81],
      ['udp/8000', 80],
    ]);
    expect(refused.size).toBe(0);
  });

  test.each(['', '127.0.0.1', '::1', '0.0.0.0'])('internal address %j is our own toward the router', (address) => {
    const { ports } = plan(rule('a', 8000, 80, { internal: { address, first: 80 } }));
    expect(ports).toMatchObject([{ family: 4, internal: { address: null } }]);
  });

  test.each([
    ['an allow list', { allow: ['203.0.113.0/24'] }, 'unsupported'],
    ['a deny list', { deny: ['203.0.113.0/24'] }, 'unsupported'],
    ['a bind address', { external: { address: '80.100.100.1', first: 80, last: 80 } }, 'unsupported'],
    ['another machine', { internal: { address: '192.168.77.11', first: 80 } }, 'unsupported'],
    ['a name', { internal: { address: 'nas', first: 80 } }, 'unsupported'],
    ['too many ports', range(1024, 1024 + maxPortsPerRule, 1024), 'unsupported'],
    ['another port over IPv6', { internal: { address: '2001:db8:2::10', first: 81 } }, 'unsupported'],
    ['an internal range past the end', range(8000, 8001, 65_535), 'bad_value'],
  ] as const)('%s is refused', (_, more, code) => {
    const { ports, refused } = plan(rule('a', 80, 80, more));
    expect(ports).toEqual([]);
    expect(refused.get('a')).toMatchObject({ code, hint: expect.stringMatching(/./) });
  });

  test('one rule that cannot be takes the others of its owner along, and nobody else’s', () => {
    const { ports } = plan(rule('a', 8000, 80), rule('a', 8001, 81, { allow: ['::/0'] }), rule('b', 8002, 82));
    expect(ports.map(({ owner }) => owner)).toEqual(['b']);
  });

  test('two external ports to one internal port: the second is refused, the first is named', () => {
    const { ports, refused } = plan(rule('a', 8000, 80), rule('b', 8001, 80));
    expect(ports.map(({ owner }) => owner)).toEqual(['a']);
    expect(refused.get('b')).toMatchObject({ code: 'conflict', message: expect.stringContaining('"a"') });
  });
});

describe('leases on disk', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'leases-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const way = { family: 4, gateway: '192.168.77.1', local: '192.168.77.10' } as const;

  test('keep nonce, protocol and end; readable by us alone; no half-written file stays', async () => {
    const file = path.join(dir, 'deep', 'leases.json');
    const book = new LeaseBook(file, () => Date.UTC(2026, 0, 1), expect.fail);
    await book.load();
    const [port] = plan(rule('web', 8000, 80)).ports;
    const lease = book.prepare(port ?? expect.fail(), way);
    await Promise.all([book.asking(lease, 'pcp', 60), book.save(), book.save()]);
    const { leases } = await readLeases(file);
    expect(leases).toEqual([
      expect.objectContaining({
        key: 'tcp/8000',
        protocol: 'pcp',
        nonce: lease.nonce,
        expires: '2026-01-01T00:01:00.000Z',
      }),
    ]);
    expect(leases[0]).not.toHaveProperty('held');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(path.dirname(file))).toEqual(['leases.json']);

    const again = new LeaseBook(file, Date.now, expect.fail);
    await again.load();
    expect(again.prepare(port ?? expect.fail(), way).nonce).toBe(lease.nonce);
    expect(again.prepare(port ?? expect.fail(), { ...way, gateway: '10.0.0.1' }).nonce).not.toBe(lease.nonce);
  });

  test.each(['', '{', '{"version":2}', '[]', '{"version":1,"tag":"abcd","leases":[{"key":1}]}'])(
    'a file with %j is put aside, and said',
    async (text) => {
      const file = path.join(dir, 'leases.json');
      writeFileSync(file, text);
      const told: string[] = [];
      const book = new LeaseBook(file, Date.now, (place) => told.push(place));
      await book.load();
      await book.load();
      expect(book.all()).toEqual([]);
      expect(told).toEqual([`${file}.unreadable`]);
    },
  );

  test('a folder that cannot be written is a failure with a next step', async () => {
    writeFileSync(path.join(dir, 'file'), '');
    const book = new LeaseBook(path.join(dir, 'file', 'leases.json'), Date.now, expect.fail);
    await expect(book.load()).rejects.toMatchObject({
      code: 'gateway_failed',
      hint: expect.stringContaining('leases.json'),
    });
  });
});
