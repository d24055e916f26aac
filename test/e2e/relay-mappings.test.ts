// The program on a gateway, its mappings carried by the engine itself; and what it reports about the machine.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRow, Device } from '../../src/model/reports.ts';
import { Program } from '../support/net-program.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, bulkServer, echoServer, sendBulk } from '../support/netns-traffic.ts';
import { until } from '../support/until.ts';

const unable = netnsMissing();
const wan = addresses.gatewayWan.v4;

describe.skipIf(unable)(`relay mappings of the program${unable ? ` (${unable})` : ''}`, { timeout: 90_000 }, () => {
  let net: Topology;
  let program: Program;
  const map = (...args: string[]) => program.run('map', ...args, '--up');

  beforeAll(async () => {
    net = Topology.create();
    program = new Program(net, 'gateway');
    for (const proto of ['tcp', 'udp'] as const)
      for (const port of [80, 7001]) await echoServer(net, 'lan', proto, port);
    await bulkServer(net, 'lan', 9000, 5_000_000);
  });
  afterEach(() => program.clear());
  afterAll(async () => {
    await program?.close();
    await net?.close();
  });

  test('TCP, UDP and shifted ranges from the WAN, bytes exact; loopback unless bound', async () => {
    expect((await map('web', '8080', '192.168.77.10:80', '--proto', 'both', '--bind', wan)).code).toBe(0);
    expect((await map('span', '6000-6001', '192.168.77.10:7000-7001', '--proto', 'both', '--bind', '*')).code).toBe(0);
    expect((await map('bulk', '9000', '192.168.77.10:9000', '--bind', wan)).code).toBe(0);
    expect((await map('inner', '8085', '192.168.77.10:80')).code).toBe(0);
    for (const proto of ['tcp', 'udp'] as const) {
      expect(await ask(net, 'wan', proto, wan, 8080)).toBe('lan hello');
      expect(await ask(net, 'wan', proto, wan, 6001)).toBe('lan hello');
    }
    expect(await ask(net, 'wan', 'tcp', wan, 8085)).toBeNull();
    expect(await ask(net, 'gateway', 'tcp', '127.0.0.1', 8085)).toBe('lan hello');
    expect(sendBulk(net, 'wan', wan, 9000, 3_000_000)).toBe(5_000_000);
    expect(await program.view('bulk')).toMatchObject({ rx: 5_000_000, tx: 3_000_000, flowsTotal: 1 });
    expect((await program.view('inner')).listen).toBe('tcp/127.0.0.1:8085');
  });

  test('a source list lets in and keeps out; repeated refusals and new peers are told', async () => {
    net.ip('wan', 'addr', 'add', '203.0.113.9/32', 'dev', 'eth0');
    net.ip('gateway', 'route', 'add', '203.0.113.0/24', 'via', addresses.wan.v4);
    await map('web', '8080', '192.168.77.10:80', '--bind', wan, '--allow', '203.0.113.0/24');
    const from = (address: string) =>
      net.exec('wan', ['socat', '-T2', '-', `tcp:${wan}:8080,bind=${address},connect-timeout=3`], 'hello');
    expect(from('203.0.113.9').stdout).toBe('lan hello');
    expect((await program.event('first_seen_peer')).message).toContain('203.0.113.9');
    for (let i = 0; i < 6; i++) expect(from(addresses.wan.v4).stdout).toBe('');
    const told = await program.event('refused_clients');
    expect(told).toMatchObject({ level: 'warn', forward: 'web' });
    expect(told.message).toMatch(/^5 clients turned away within 60 s, the last 80\.100\.100\.2:/);
    net.ip('wan', 'addr', 'del', '203.0.113.9/32', 'dev', 'eth0');
    net.ip('gateway', 'route', 'del', '203.0.113.0/24');
  });

  test('the target is told who connects, where asked', async () => {
    const server = net.spawn('lan', [process.execPath, '-e', mirror, '8500']);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    await map('proxied', '8086', '192.168.77.10:8500', '--bind', wan, '--proxy-protocol');
    // Signature, version 2 PROXY, TCP over IPv4, 12 bytes: source and destination address, their ports.
    const got = await ask(net, 'wan', 'tcp', wan, 8086);
    expect(got).toMatch(/^0d0a0d0a000d0a515549540a2111000c5064640250646401.{4}1f9668656c6c6f$/);
  });

  test('a burst of connections is told once', async () => {
    await map('web', '8080', '192.168.77.10:80', '--bind', wan);
    net.must('wan', [process.execPath, '-e', many, wan, '8080', '120']);
    const { message } = await program.event('burst');
    expect(message).toMatch(/^51 connections within 5 s/);
    expect((await program.events()).filter(({ code }) => code === 'burst')).toHaveLength(1);
  });

  test('a port another program holds: stored, failed with its name and pid, exit 4', async () => {
    const holder = await echoServer(net, 'gateway', 'tcp', 8090);
    const ran = await map('web', '8090', '192.168.77.10:80');
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain(`pid ${holder.pid}`);
    expect(await program.view('web')).toMatchObject({ state: 'failed', error: { code: 'port_taken' } });
    holder.kill('SIGKILL');
    await until('the port to be free', () => !net.must('gateway', ['ss', '-ltnH']).includes(':8090 '));
    expect((await program.run('up', 'web')).code).toBe(0);
    expect(await ask(net, 'gateway', 'tcp', '127.0.0.1', 8090)).toBe('lan hello');
  });

  test('--for takes it down by itself, and a preset brings its ports', async () => {
    await map('short', '8080', '192.168.77.10:80', '--bind', wan, '--for', '3s');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    await until('its end', async () => (await program.view('short')).state === 'off');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBeNull();
    expect((await program.event('expired')).forward).toBe('short');

    expect((await program.run('map', 'game', '--preset', 'minecraft', '192.168.77.10', '--up')).code).toBe(0);
    expect((await program.view('game')).listen).toContain(':25565');
    expect((await program.run('map', 'no', '--preset', 'minecart', '192.168.77.10')).stderr).toContain('minecraft');
  });

  test('every port of an address, with too few descriptors for it', async () => {
    const few = new Program(net, 'gateway', ['prlimit', '--nofile=4096:4096']);
    try {
      const ran = await few.run('map', 'all', '1-65535', '192.168.77.10', '--bind', wan, '--up');
      expect(ran.code).toBe(4);
      expect(ran.stderr).toContain('file descriptors');
      expect(ran.stderr).toContain('LimitNOFILE');
      expect((await few.view('all')).error?.code).toBe('fd_limit');
      expect((await few.run('map', 'web', '8080', '192.168.77.10:80', '--up')).code).toBe(0);
    } finally {
      await few.close();
    }
  });

  test('audit finds a listener on every address and exits 5; devices have their MAC addresses', async () => {
    const holder = await echoServer(net, 'gateway', 'tcp', 8099);
    await map('web', '8080', '192.168.77.10:80', '--bind', '*');
    const ran = await program.run('audit', '--json');
    expect(ran.code).toBe(5);
    const rows = JSON.parse(ran.stdout) as AuditRow[];
    const theirs = rows.find(({ port }) => port === 8099);
    expect(theirs).toMatchObject({ proto: 'tcp', reach: 'world', layer: 'address' });
    expect(theirs?.owner).toContain(`pid ${holder.pid}`);
    expect(theirs?.finding).toMatchObject({ level: 'medium', code: 'unmanaged_world' });
    expect(rows.find(({ port }) => port === 8080)).toMatchObject({ owner: 'web', finding: { code: 'open_to_world' } });
    expect((await program.run('audit', '--level', 'high')).code).toBe(0);
    holder.kill('SIGKILL');

    for (const host of ['lan', 'lan2'] as const) {
      net.exec(host, ['socat', '-u', '-', `udp:${addresses.gatewayLan.v4}:9`], 'x');
      const mac = net.must(host, ['cat', '/sys/class/net/eth0/address']).trim();
      const device = await until('the device', async () =>
        (await program.json<Device[]>('devices')).find(({ address }) => address === addresses[host].v4),
      );
      expect(device.mac).toBe(mac);
    }
  });

  test('bad input is named', async () => {
    const tries: [string[], string][] = [
      [['a', '90-80', '192.168.77.10'], 'upside down'],
      [['a', '0', '192.168.77.10'], '0'],
      [['a', '80', '300.1.1.1'], '300.1.1.1'],
      [['a', '80', '192.168.77.10', '--allow', 'everyone'], 'everyone'],
      [['a', '80-90', '192.168.77.10:1-5'], 'internal ports'],
      [['a', '80', '192.168.77.10', '--via', 'router', '--allow', '203.0.113.0/24'], 'source list'],
    ];
    for (const [args, word] of tries) {
      const ran = await program.run('map', ...args);
      expect([1, 2]).toContain(ran.code);
      expect(ran.stderr).toContain(word);
      expect(ran.stderr).toMatch(/^sallyport: /);
    }
    expect(await program.json<unknown[]>('ls')).toEqual([]);
  });
});

const mirror = `require('net').createServer({ allowHalfOpen: true }, (s) => {
    const all = []; s.on('data', (d) => all.push(d)); s.on('end', () => s.end(Buffer.concat(all).toString('hex')));
  }).listen(+process.argv[1], () => console.log('ready'));`;

const many = `const [host, port, count] = process.argv.slice(1); let open = 0;
  for (let i = 0; i < +count; i++) {
    const s = require('net').connect(+port, host, () => { if (++open === +count) process.exit(0); }); s.on('error', () => process.exit(1));
  }`;
