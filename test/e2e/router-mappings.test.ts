// The program on a LAN host, its mappings made by a real router daemon in front of it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RouterReport } from '../../src/model/reports.ts';
import { Miniupnpd, mapByHand } from '../support/miniupnpd.ts';
import { Program } from '../support/net-program.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, bulkServer, echoServer, sendBulk } from '../support/netns-traffic.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const unable = netnsMissing() || missing('miniupnpd', 'nft');
const wan = addresses.gatewayWan.v4;

describe.skipIf(unable)(`router mappings of the program${unable ? ` (${unable})` : ''}`, { timeout: 90_000 }, () => {
  let net: Topology;
  let router: Miniupnpd;
  let program: Program;
  const map = (...args: string[]) => program.run('map', ...args, '--via', 'router', '--up');

  beforeAll(async () => {
    net = Topology.create();
    router = await Miniupnpd.start(net, { secure: false });
    program = new Program(net, 'lan');
    for (const proto of ['tcp', 'udp'] as const) {
      await echoServer(net, 'lan', proto, 8080);
      await echoServer(net, 'lan2', proto, 8080);
    }
    await bulkServer(net, 'lan2', 9000, 1_000_000);
  });
  afterEach(() => program.clear());
  afterAll(async () => {
    await program?.close();
    await router?.stop();
    await net?.close();
  });

  test('TCP and UDP from the WAN; gone after down and after rm; shown by the router report', async () => {
    expect((await map('web', '18080', '192.168.77.10:8080', '--proto', 'both')).code).toBe(0);
    expect(await program.view('web')).toMatchObject({ state: 'up', via: 'router' });
    expect((await program.view('web')).listen).toContain(`tcp/${wan}:18080`);
    expect(await ask(net, 'wan', 'tcp', wan, 18080)).toBe('lan hello');
    expect(await ask(net, 'wan', 'udp', wan, 18080)).toBe('lan hello');

    const report = await program.json<RouterReport>('router');
    expect(report).toMatchObject({ gateway: addresses.gatewayLan.v4, externalAddress: wan });
    expect(report.protocols).toEqual(['pcp', 'nat-pmp', 'igd2']);
    const mine = report.mappings.filter(({ external }) => external === 18080);
    expect(mine.map(({ proto }) => proto).sort()).toEqual(['tcp', 'udp']);
    expect(mine.every(({ ours }) => ours)).toBe(true);

    await program.must('down', 'web');
    await until('the lease to be gone', () => router.mapped().length === 0);
    expect(await ask(net, 'wan', 'tcp', wan, 18080)).toBeNull();
    expect((await program.run('up', 'web')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 18080)).toBe('lan hello');
    await program.must('rm', 'web');
    await until('the lease to be gone', () => router.mapped().length === 0);
  });

  test('another machine is reached through the relay here, which counts the bytes', async () => {
    expect((await map('other', '18081', '192.168.77.11:8080', '--proto', 'both')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 18081)).toBe('lan2 hello');
    expect(await ask(net, 'wan', 'udp', wan, 18081)).toBe('lan2 hello');
    expect((await program.event('relayed')).message).toContain('192.168.77.11');
    expect((await map('bulk', '18082', '192.168.77.11:9000')).code).toBe(0);
    expect(sendBulk(net, 'wan', wan, 18082, 2_000_000)).toBe(1_000_000);
    expect(await program.view('bulk')).toMatchObject({ rx: 1_000_000, tx: 2_000_000 });
    await program.must('down', '--all');
    await until('the leases to be gone', () => router.mapped().length === 0);
    await until('the relay to be gone', () => !net.must('lan', ['ss', '-ltnH']).includes(':18081 '));
  });

  test('a service on loopback alone is relayed too', async () => {
    const server = net.spawn('lan', [
      'socat',
      '-U',
      'TCP-LISTEN:8083,bind=127.0.0.1,fork,reuseaddr',
      'SYSTEM:echo inner',
    ]);
    await until('the service', () => net.must('lan', ['ss', '-ltnH']).includes(':8083 '));
    expect((await map('inner', '18083', '127.0.0.1:8083')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 18083)).toBe('inner\n');
    server.kill('SIGKILL');
  });

  test('a port another host holds: failed, no other port taken; tried again when asked', async () => {
    mapByHand(net, 'lan2', 'tcp', 18080, 8080);
    const ran = await map('web', '18080', '192.168.77.10:8080');
    expect(ran.code).toBe(4);
    expect(await program.view('web')).toMatchObject({ state: 'failed', error: { code: 'gateway_port_taken' } });
    expect(router.mapped()).toEqual(['tcp/18080']);
    expect(await ask(net, 'wan', 'tcp', wan, 18080)).toBe('lan2 hello');
    expect((await program.run('up', 'web')).code).toBe(4);

    const theirs = (await program.json<RouterReport>('router')).mappings.find(({ external }) => external === 18080);
    expect(theirs).toMatchObject({ ours: false, internal: '192.168.77.11:8080' });
    await program.must('router', 'rm', 'tcp/18080', '--yes');
    expect(router.mapped()).toEqual([]);
    expect((await program.run('up', 'web')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 18080)).toBe('lan hello');
  });

  test('after a crash leases are kept, and deleted when the engine stops', async () => {
    await map('web', '18080', '192.168.77.10:8080');
    await program.killEngine();
    expect(router.mapped()).toEqual(['tcp/18080']);
    expect(await ask(net, 'wan', 'tcp', wan, 18080)).toBe('lan hello');
    await program.must('engine', 'start');
    await until('the mapping to be up', async () => (await program.view('web')).state === 'up');
    expect(router.mapped()).toEqual(['tcp/18080']);
    await program.must('engine', 'stop');
    expect(router.mapped()).toEqual([]);
  });

  test('moved from the relay to the router it keeps its totals', async () => {
    await program.must('map', 'bulk', '18082', '192.168.77.11:9000', '--bind', '192.168.77.10', '--up');
    sendBulk(net, 'lan2', '192.168.77.10', 18082, 1_000_000);
    expect((await program.run('edit', 'bulk', '--via', 'router', '--unset', 'bind')).code).toBe(0);
    sendBulk(net, 'wan', wan, 18082, 2_000_000);
    expect(await program.view('bulk')).toMatchObject({ via: 'router', tx: 3_000_000, rx: 2_000_000, flowsTotal: 2 });
  });
});
