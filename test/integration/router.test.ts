// The router gateway against a real miniupnpd, with real traffic from the WAN side.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RouterOptions } from '../../src/gateways/router/router.ts';
import { Miniupnpd, type MiniupnpdOptions, mapByHand } from '../support/miniupnpd.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, echoServer } from '../support/netns-traffic.ts';
import { RouterClient, rule } from '../support/router-client.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const wanAddress = addresses.gatewayWan.v4;
const unable = missing('miniupnpd', 'nft') || netnsMissing();

describe.skipIf(unable)(`router leases${unable ? ` (${unable})` : ''}`, () => {
  let net: Topology;
  let router: Miniupnpd;
  let dir: string;
  let clients: RouterClient[] = [];

  beforeAll(async () => {
    net = Topology.create();
    await Promise.all([
      echoServer(net, 'lan', 'tcp', 8080),
      echoServer(net, 'lan', 'udp', 8080),
      echoServer(net, 'lan', 'tcp', 8081, 'second'),
      echoServer(net, 'lan2', 'tcp', 8080),
    ]);
  });
  afterAll(() => net?.close());

  beforeEach(() => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'router-'));
  });
  afterEach(async () => {
    try {
      await Promise.all(clients.map((client) => client.stop()));
    } finally {
      clients = [];
      await router?.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  async function start(
    options: Omit<RouterOptions, 'stateFile' | 'reports'> = {},
    daemon?: MiniupnpdOptions,
  ): Promise<RouterClient> {
    if (daemon !== undefined) router = await Miniupnpd.start(net, daemon);
    const client = await RouterClient.start(net, 'lan', { stateFile: path.join(dir, 'leases.json'), ...options });
    clients.push(client);
    return client;
  }

  describe.each([
    ['PCP', { protocols: ['pcp'] }, { upnp: false }],
    ['NAT-PMP', { protocols: ['nat-pmp'] }, { upnp: false }],
    ['IGD 2', {}, { natpmp: false }],
    ['IGD 1', {}, { natpmp: false, igd1: true }],
  ] as const)('%s', (name, options, daemon) => {
    const over = { PCP: 'pcp', 'NAT-PMP': 'nat-pmp', 'IGD 2': 'igd2', 'IGD 1': 'igd1' }[name];

    test('a lease carries traffic from outside, is renewed, and is gone after removal', async () => {
      const client = await start({ ...options, leaseSeconds: 8 }, daemon);
      await client.sync(rule('web', 18080, 8080), rule('call', 15353, 8080, { proto: 'udp' }));
      expect((await client.reaches('web', 'open')).at).toBe(`tcp/${wanAddress}:18080`);
      expect((await client.reaches('call', 'open')).at).toBe(`udp/${wanAddress}:15353`);
      expect(client.notes.map((note) => note.message).join()).toContain(`over ${over} `);
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
      expect(await ask(net, 'wan', 'udp', wanAddress, 15353)).toBe('lan hello');

      // Past its first end it is there still, because it was renewed.
      const file = () => JSON.parse(readFileSync(path.join(dir, 'leases.json'), 'utf8')).leases[0].expires;
      const end = Date.parse(file());
      await until('the lease to outlive its first term', () => Date.now() > end + 1500 && Date.parse(file()) > end);
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
      expect(client.status('web')?.is).toBe('open');

      await client.sync(rule('call', 15353, 8080, { proto: 'udp' }));
      expect(router.mapped()).toEqual(['udp/15353']);
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBeNull();
      await client.clear();
      expect(router.mapped()).toEqual([]);
      expect(await ask(net, 'wan', 'udp', wanAddress, 15353)).toBeNull();
    });

    test('a port another host holds fails, and no other port is taken', async () => {
      const client = await start(options, { ...daemon, upnp: true });
      mapByHand(net, 'lan2', 'tcp', 18080, 8080);
      await client.sync(rule('web', 18080, 8080), rule('more', 18090, 8081));
      const { error } = await client.reaches('web', 'failed');
      expect(error.code).toBe('gateway_port_taken');
      await client.reaches('more', 'open');
      expect(router.mapped().sort()).toEqual(['tcp/18080', 'tcp/18090']);
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan2 hello');
      await client.clear();
      expect(router.mapped()).toEqual(['tcp/18080']);
    });

    test('after a crash, what is still wanted goes on and what is not is deleted', async () => {
      const crashed = await start(options, daemon);
      await crashed.sync(rule('web', 18080, 8080), rule('old', 18090, 8081));
      await crashed.reaches('old', 'open');
      await crashed.kill();
      clients = [];
      expect(router.mapped()).toHaveLength(2);
      expect(statSync(path.join(dir, 'leases.json')).mode & 0o777).toBe(0o600);

      const next = await start(options);
      await next.sync(rule('web', 18080, 8080));
      await next.reaches('web', 'open');
      expect(router.mapped()).toEqual(['tcp/18080']);
      expect(next.noted('router_leftover')).toBe(1);
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
    });

    test('a restarted router is given its leases again', async () => {
      const client = await start({ ...options, watchSeconds: 1 }, daemon);
      await client.sync(rule('web', 18080, 8080));
      await client.reaches('web', 'open');
      // A restart shows in the router's count of seconds, once that has gone beyond the slack clocks are given.
      await until('the router to have been up for some seconds', () => Date.now() - router.startedMs > 5000);
      await router.kill();
      await router.run();
      await until('the lease to be back', () => router.mapped().includes('tcp/18080'), { timeoutMs: 25_000 });
      await client.reaches('web', 'open');
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
    });
  });

  test.each(['pcp', 'nat-pmp'] as const)('a router that announces its restart over %s is heard', async (protocol) => {
    const client = await start({ protocols: [protocol], watchSeconds: 3600 }, {});
    await client.sync(rule('web', 18080, 8080));
    await client.reaches('web', 'open');
    await until('the router to have been up for some seconds', () => Date.now() - router.startedMs > 5000);
    // A second lease has the count of seconds seen again.
    await client.sync(rule('web', 18080, 8080), rule('more', 18090, 8081));
    await client.reaches('more', 'open');
    await router.kill();
    await router.run();
    await until('both leases to be back', () => router.mapped().length === 2, { timeoutMs: 25_000 });
    await until('the restart to be told', () => client.noted('router_restarted') > 0);
  });

  test('PCP is taken before all others; the range is one mapping, shifted', async () => {
    const client = await start({}, {});
    const ports = {
      external: { address: null, first: 18080, last: 18081 },
      internal: { address: '127.0.0.1', first: 8080 },
    };
    await client.sync(rule('pair', 0, 0, ports));
    expect((await client.reaches('pair', 'open')).at).toBe(`tcp/${wanAddress}:18080-18081`);
    expect(client.notes[0]?.message).toContain('over pcp');
    expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', wanAddress, 18081)).toBe('second hello');
  });

  test('one taken port of a range closes the others: all or nothing', async () => {
    const client = await start({}, {});
    mapByHand(net, 'lan2', 'tcp', 18082, 8080);
    await client.sync(
      rule('range', 0, 0, {
        external: { address: null, first: 18080, last: 18083 },
        internal: { address: '', first: 8080 },
      }),
    );
    expect((await client.reaches('range', 'failed')).error.code).toBe('gateway_port_taken');
    expect(router.mapped()).toEqual(['tcp/18082']);
  });

  test('a port the router will not map is refused, with its reason', async () => {
    const client = await start({}, { natpmp: false });
    await client.sync(rule('low', 80, 8080));
    const { error } = await client.reaches('low', 'failed');
    expect(error.code).toBe('gateway_refused');
    expect(error.hint).toContain('port above 1023');
    expect(router.mapped()).toEqual([]);
  });

  test('after a change of our address the lease is asked for again, once the old one is over', async () => {
    const client = await start({ leaseSeconds: 5, watchSeconds: 1 }, {});
    await client.sync(rule('web', 18080, 8080));
    await client.reaches('web', 'open');
    const move = (from: string, to: string) => {
      net.ip('lan', 'addr', 'del', `${from}/24`, 'dev', 'eth0');
      net.ip('lan', 'addr', 'add', `${to}/24`, 'dev', 'eth0');
      net.ip('lan', 'route', 'add', 'default', 'via', addresses.gatewayLan.v4);
    };
    move(addresses.lan.v4, '192.168.77.20');
    try {
      await until('the change to be seen', () => client.noted('router_moved') > 0);
      const nat = () => net.must('gateway', ['nft', 'list', 'ruleset']);
      await until('the new mapping', () => nat().includes('18080 dnat ip to 192.168.77.20:8080'), {
        timeoutMs: 25_000,
      });
      await client.reaches('web', 'open');
      expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
      expect(client.noted('router_mapped')).toBe(2);
    } finally {
      move('192.168.77.20', addresses.lan.v4);
    }
  });

  test('a router that was away for a while is given its leases again when it is back', async () => {
    const client = await start({ watchSeconds: 1 }, { natpmp: false });
    await client.sync(rule('web', 18080, 8080));
    await client.reaches('web', 'open');
    const before = Date.now();
    await router.kill();
    await until('several looks at the dead router', () => Date.now() - before > 6000);
    await router.run();
    await until('the lease to be back', () => router.mapped().includes('tcp/18080'), { timeoutMs: 25_000 });
  });

  test('without a router it is retried, and made once there is one', async () => {
    const client = await start({ watchSeconds: 1 });
    await client.sync(rule('web', 18080, 8080));
    expect((await client.reaches('web', 'retrying')).error.code).toBe('gateway_missing');
    router = await Miniupnpd.start(net);
    await client.reaches('web', 'open');
    expect(await ask(net, 'wan', 'tcp', wanAddress, 18080)).toBe('lan hello');
  });

  test('the report names protocols, address, model and every mapping; others’ can be deleted, ours not', async () => {
    const client = await start({}, {});
    mapByHand(net, 'lan', 'udp', 17000, 7000);
    mapByHand(net, 'lan2', 'tcp', 17001, 7001);
    await client.sync(rule('web', 18080, 8080));
    const report = await client.report();
    expect(report).toMatchObject({
      gateway: addresses.gatewayLan.v4,
      protocols: ['pcp', 'nat-pmp', 'igd2'],
      externalAddress: wanAddress,
      warning: null,
    });
    expect(report.model).toContain('router');
    expect(report.mappings.map(({ proto, external, internal, ours }) => [proto, external, internal, ours])).toEqual([
      ['udp', 17000, '192.168.77.10:7000', false],
      ['tcp', 17001, '192.168.77.11:7001', false],
      ['tcp', 18080, '192.168.77.10:8080', true],
    ]);
    await client.deleteMapping('udp', 17000);
    expect(router.mapped().sort()).toEqual(['tcp/17001', 'tcp/18080']);
    await expect(client.deleteMapping('tcp', 18080)).rejects.toMatchObject({ code: 'conflict' });
    await expect(client.deleteMapping('tcp', 17777)).rejects.toMatchObject({ code: 'not_found' });
    await expect(client.deleteMapping('tcp', 17001)).rejects.toMatchObject({ code: 'gateway_refused' });
  });

  test('an IGD mapping of another program on this machine is not overwritten', async () => {
    const client = await start({}, { natpmp: false });
    mapByHand(net, 'lan', 'tcp', 18080, 9999);
    await client.sync(rule('web', 18080, 8080));
    const { error } = await client.reaches('web', 'failed');
    expect(error).toMatchObject({ code: 'gateway_port_taken', message: expect.stringContaining('(game)') });
  });

  test.each([
    ['PCP', {}, {}],
    ['IGD', {}, { natpmp: false }],
  ] as const)('an IPv6 pinhole over %s lets in, and is closed', async (_, options, daemon) => {
    const client = await start(options, daemon);
    const hole = rule('six', 8080, 8080, { internal: { address: addresses.lan.v6, first: 8080 } });
    expect(await ask(net, 'wan', 'tcp', addresses.lan.v6, 8080)).toBeNull();
    await client.sync(hole);
    expect((await client.reaches('six', 'open')).at).toBe(`tcp/[${addresses.lan.v6}]:8080`);
    expect(await ask(net, 'wan', 'tcp', addresses.lan.v6, 8080)).toBe('lan hello');
    await client.clear();
    expect(await ask(net, 'wan', 'tcp', addresses.lan.v6, 8080)).toBeNull();
  });
});
