// The program on a gateway, its mappings performed by the kernel, reached from the WAN side.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Flow } from '../../src/model/flow.ts';
import { Program } from '../support/net-program.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, bulkServer, echoServer, ftpServer, sendBulk } from '../support/netns-traffic.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const unable = netnsMissing() || missing('nft', 'conntrack', 'socat', 'curl');
const wan = addresses.gatewayWan.v4;
const foreign = `table ip theirs {
  set known { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.7 } }
  chain before {
    type nat hook prerouting priority -90; policy accept;
    tcp dport 9999 redirect to :9998
  }
  chain forwarding {
    type filter hook forward priority 0; policy accept;
    ip saddr @known drop
  }
}`;

describe.skipIf(unable)(`kernel mappings of the program${unable ? ` (${unable})` : ''}`, { timeout: 90_000 }, () => {
  let net: Topology;
  let program: Program;
  const theirs = () => net.must('gateway', ['nft', 'list', 'table', 'ip', 'theirs']);
  const ours = () => net.must('gateway', ['nft', 'list', 'tables']).match(/inet sallyport_\w+/g) ?? [];
  const hostsFile = () => `/etc/netns/${net.namespace('gateway')}/hosts`;
  const map = (...args: string[]) => program.run('map', ...args, '--via', 'nftables', '--up');

  beforeAll(async () => {
    net = Topology.create();
    // `ip netns exec` puts this file in the place of /etc/hosts.
    mkdirSync(path.dirname(hostsFile()), { recursive: true });
    writeFileSync(hostsFile(), '192.168.77.10 printer.test\n');
    program = new Program(net, 'gateway');
    for (const port of [80, 6001, 7002]) await echoServer(net, 'lan', 'tcp', port);
    await echoServer(net, 'lan', 'udp', 80);
    await echoServer(net, 'lan2', 'tcp', 80);
    await bulkServer(net, 'lan', 9000, 5_000_000);
  });
  afterEach(async () => {
    await program.clear();
    net.exec('gateway', ['nft', 'delete', 'table', 'ip', 'theirs']);
  });
  afterAll(async () => {
    await program?.close();
    await net?.close();
    rmSync(path.dirname(hostsFile()), { recursive: true, force: true });
  });

  test('one port, ranges shifted and not, UDP and both, reached from the WAN', async () => {
    expect((await map('web', '8080', '192.168.77.10:80')).code).toBe(0);
    expect((await map('range', '6000-6002', '192.168.77.10')).code).toBe(0);
    expect((await map('shifted', '5000-5002', '192.168.77.10:7000-7002')).code).toBe(0);
    expect((await map('dns', '5353', '192.168.77.10:80', '--proto', 'udp')).code).toBe(0);
    expect((await map('each', '8081', '192.168.77.10:80', '--proto', 'both')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', wan, 6001)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', wan, 5002)).toBe('lan hello');
    expect(await ask(net, 'wan', 'udp', wan, 5353)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', wan, 8081)).toBe('lan hello');
    expect(await ask(net, 'wan', 'udp', wan, 8081)).toBe('lan hello');
    expect(await program.view('web')).toMatchObject({ state: 'up', via: 'nftables', listen: 'tcp/0.0.0.0:8080' });
    expect((await program.view('each')).listen).toContain('both/');
    await program.must('down', 'web');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBeNull();
    expect(await ask(net, 'wan', 'tcp', wan, 6001)).toBe('lan hello');
    await program.must('up', 'web');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
  });

  test('bytes within 3 %, flows with their peers, and one of them killed', async () => {
    await map('bulk', '9000', '192.168.77.10:9000');
    expect(sendBulk(net, 'wan', wan, 9000, 20_000_000)).toBe(5_000_000);
    const { rx, tx } = await until('the bytes to be counted', async () => {
      const view = await program.view('bulk');
      return view.rx > 4_000_000 && view.tx > 19_000_000 ? view : null;
    });
    expect(Math.abs(tx / 20_000_000 - 1)).toBeLessThan(0.03);
    expect(Math.abs(rx / 5_000_000 - 1)).toBeLessThan(0.03);

    await map('web', '8080', '192.168.77.10:80');
    const held = net.spawn('wan', ['socat', '-', `tcp:${wan}:8080`]);
    const [flow] = await until('the flow', async () => {
      const flows = await program.json<Flow[]>('flows', 'web');
      return flows.length > 0 ? flows : null;
    });
    expect(flow?.peer).toContain(`${addresses.wan.v4}:`);
    expect(flow?.target).toBe('192.168.77.10:80');
    await program.must('kill', flow?.id as string);
    expect(await program.json<Flow[]>('flows', 'web')).toEqual([]);
    held.kill('SIGKILL');
    expect((await program.run('kill', flow?.id as string)).code).toBe(1);
  });

  test('a target that has gone shows, also in the audit, and so does its return', { timeout: 60_000 }, async () => {
    expect((await map('web', '8080', '192.168.77.10:5555')).code).toBe(0);
    const silent = await until('the probe', async () => {
      const view = await program.view('web');
      return view.state === 'degraded' ? view : null;
    });
    expect(silent.error).toMatchObject({ code: 'probe_failed', message: '192.168.77.10:5555 refuses the connection' });
    expect(silent.flowsTotal).toBe(0);
    const audit = JSON.parse((await program.run('audit', '--json')).stdout) as { owner: string; finding: unknown }[];
    expect(audit.find(({ owner }) => owner === 'web')).toBeDefined();
    await program.must('edit', 'web', '--internal', '192.168.77.10:80');
    await until('the return', async () => (await program.view('web')).state === 'up', { timeoutMs: 30_000 });
    await program.must('down', 'web');
    expect((await program.view('web')).state).toBe('off');
  });

  test('the audit has no port of a mapping that is not in force', async () => {
    net.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
    const ran = await map('web', '8080', '192.168.77.10:80');
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain('forwarding is off');
    const owners = async () =>
      (JSON.parse((await program.run('audit', '--json')).stdout) as { owner: string }[]).map(({ owner }) => owner);
    expect(await owners()).not.toContain('web');
    net.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await program.must('up', 'web');
    expect(await owners()).toContain('web');
  });

  test("another program's table stays as it is; rules outlive a killed engine and are adopted", async () => {
    net.must('gateway', ['nft', '-f', '-'], foreign);
    const before = theirs();
    await map('web', '8080', '192.168.77.10:80');
    await map('bulk', '9000', '192.168.77.10:9000');
    expect(theirs()).toBe(before);
    sendBulk(net, 'wan', wan, 9000, 2_000_000);
    await until('the bytes', async () => (await program.view('bulk')).tx > 1_900_000);
    const held = net.spawn('wan', ['socat', '-', `tcp:${wan}:8080`]);
    let heard = '';
    held.stdout?.on('data', (chunk) => {
      heard += chunk;
    });
    await until('a flow', () => heard === 'lan ');

    await program.killEngine();
    expect(theirs()).toBe(before);
    const table = ours();
    expect(table).toHaveLength(1);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    held.stdin?.write('still ');
    await until('the running flow', () => heard === 'lan still ');
    sendBulk(net, 'wan', wan, 9000, 1_000_000);

    await program.must('engine', 'start');
    const view = await until('adoption', async () => {
      const now = await program.view('bulk');
      if (now.state !== 'up' || now.tx < 2_900_000) throw new Error(JSON.stringify(now));
      return now;
    });
    expect(Math.abs(view.tx / 3_000_000 - 1)).toBeLessThan(0.03);
    expect(view.flowsTotal).toBe(2);
    held.stdin?.write('going');
    await until('the running flow', () => heard === 'lan still going');
    expect(ours()).toEqual(table);
    expect(theirs()).toBe(before);
    held.kill('SIGKILL');

    // The same through an engine that is told to go and comes back: totals are kept, and not counted twice.
    await program.must('engine', 'stop');
    expect(ours()).toEqual([]);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBeNull();
    expect(theirs()).toBe(before);
    await program.must('engine', 'start');
    await until('the mapping to be back', async () => (await program.view('web')).state === 'up');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    expect(Math.abs((await program.view('bulk')).tx / 3_000_000 - 1)).toBeLessThan(0.03);
    await program.must('engine', 'restart');
    await until('the mapping to be back', async () => (await program.view('bulk')).state === 'up');
    expect(Math.abs((await program.view('bulk')).tx / 3_000_000 - 1)).toBeLessThan(0.03);
  });

  test('uninstalled after a crash, nothing is left', async () => {
    await map('web', '8080', '192.168.77.10:80');
    await program.killEngine();
    expect(ours()).toHaveLength(1);
    await program.must('engine', 'uninstall');
    expect(ours()).toEqual([]);
    expect((await program.run('engine', 'status')).code).toBe(3);
  });

  test('a foreign flush is repaired and told', async () => {
    await map('web', '8080', '192.168.77.10:80');
    net.must('gateway', ['nft', 'flush', 'ruleset']);
    expect((await program.event('gateway_flushed')).level).toBe('warn');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
  });

  test('a second mapping of tcp 3389 is refused with the holder named, and nothing is stored', async () => {
    await map('desk', '3389', '192.168.77.10:3389');
    const second = await map('other', '3389', '192.168.77.11:3389');
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/sallyport: .*tcp 3389.*desk/);
    const overlap = await program.run('map', 'span', '3300-3400', '192.168.77.11', '--via', 'relay', '--bind', '*');
    expect(overlap.code).toBe(1);
    expect(overlap.stderr).toContain('desk');
    expect((await map('else', '3389', '192.168.77.11:3389', '--proto', 'udp')).code).toBe(0);
    expect((await program.json<unknown[]>('ls')).length).toBe(2);
  });

  test("the port of this machine's sshd is refused, unless it is meant", async () => {
    const sshd = net.spawn('gateway', [process.execPath, '-e', listener, '0.0.0.0', '22']);
    await new Promise((resolve) => sshd.stdout?.once('data', resolve));
    const refused = await map('ssh', '22', '192.168.77.10:80');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('--force');
    expect(refused.stderr).toContain(`pid ${sshd.pid}`);
    expect(await program.json<unknown[]>('ls')).toEqual([]);
    expect((await map('wide', '20-30', '192.168.77.10')).code).toBe(1);
    expect((await map('ssh', '22', '192.168.77.10:80', '--force')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 22)).toBe('lan hello');
    sshd.kill('SIGKILL');
  });

  test('a source list lets in and keeps out', async () => {
    net.ip('wan', 'addr', 'add', '203.0.113.9/32', 'dev', 'eth0');
    net.ip('gateway', 'route', 'add', '203.0.113.0/24', 'via', addresses.wan.v4);
    await map('web', '8080', '192.168.77.10:80', '--allow', '203.0.113.0/24');
    const from = (address: string) =>
      net.exec('wan', ['socat', '-T2', '-', `tcp:${wan}:8080,bind=${address},connect-timeout=3`], 'hello');
    expect(from('203.0.113.9').stdout).toBe('lan hello');
    expect(from(addresses.wan.v4).stdout).toBe('');
    expect(from(addresses.wan.v4).stderr).toContain('refused');
    for (let i = 0; i < 5; i++) from(addresses.wan.v4);
    const { forward, message } = await program.event('refused_clients');
    expect(forward).toBe('web');
    expect(message).toMatch(/^\d+ clients turned away/);
    await until('the new peer to be told', async () =>
      (await program.events()).some(
        ({ code, message }) => code === 'first_seen_peer' && message.startsWith('203.0.113.9 '),
      ),
    );
    net.ip('wan', 'addr', 'del', '203.0.113.9/32', 'dev', 'eth0');
    net.ip('gateway', 'route', 'del', '203.0.113.0/24');
  });

  test('FTP: a file comes over the second port with the helper, and without it does not', async () => {
    await ftpServer(net, 'lan', 2121, 'the file');
    const get = () =>
      net.exec('wan', ['curl', '-s', '-m', '5', '--disable-epsv', '--no-ftp-skip-pasv-ip', `ftp://${wan}/f`]);
    expect((await map('ftp', '21', '192.168.77.10:2121')).code).toBe(0);
    expect(get().stdout).toBe('');
    await program.must('edit', 'ftp', '--helper', 'ftp');
    expect(get().stdout).toBe('the file');
  });

  test('IPv6: translated to an inside address', async () => {
    expect((await map('six', '8080', `[${addresses.lan.v6}]:80`)).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', addresses.gatewayWan.v6, 8080)).toBe('lan hello');
    const mixed = await map('mixed', '8081', `[${addresses.lan.v6}]:80`, '--bind', wan);
    expect(mixed.code).toBe(2);
    expect(mixed.stderr).toContain('famil');
  });

  test('a MAC address and a name are followed when the device moves, by kernel and relay', {
    timeout: 120_000,
  }, async () => {
    const mac = net.must('lan', ['cat', '/sys/class/net/eth0/address']).trim();
    // Else the gateway believes in the old address for half a minute more.
    net.must('gateway', ['sysctl', '-qw', 'net.ipv4.neigh.br0.base_reachable_time_ms=1000']);
    net.exec('lan', hello, 'x');
    expect((await map('bymac', '8080', `${mac.replaceAll(':', '-')}:80`)).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    expect((await map('byname', '8081', 'printer.test:80')).code).toBe(0);
    expect(await ask(net, 'wan', 'tcp', wan, 8081)).toBe('lan hello');
    await program.must('map', 'relayed', '8082', `${mac}:80`, '--bind', wan, '--up');
    expect(await ask(net, 'wan', 'tcp', wan, 8082)).toBe('lan hello');

    net.ip('lan', 'addr', 'add', '192.168.77.30/24', 'dev', 'eth0');
    net.ip('lan', 'addr', 'del', '192.168.77.10/24', 'dev', 'eth0');
    net.ip('lan', 'addr', 'add', '192.168.77.30/24', 'dev', 'eth0');
    net.ip('lan', 'route', 'replace', 'default', 'via', addresses.gatewayLan.v4);
    net.exec('lan', hello, 'x');
    await until('the device to be followed', async () => (await ask(net, 'wan', 'tcp', wan, 8080)) === 'lan hello', {
      timeoutMs: 60_000,
    });
    writeFileSync(hostsFile(), '192.168.77.30 printer.test\n');
    await until('the name to be followed', async () => (await ask(net, 'wan', 'tcp', wan, 8081)) === 'lan hello', {
      timeoutMs: 60_000,
    });
    expect(await ask(net, 'wan', 'tcp', wan, 8082)).toBe('lan hello');
    net.ip('lan', 'addr', 'add', '192.168.77.10/24', 'dev', 'eth0');
    net.ip('lan', 'addr', 'del', '192.168.77.30/24', 'dev', 'eth0');
    net.ip('lan', 'addr', 'add', '192.168.77.10/24', 'dev', 'eth0');
    net.ip('lan', 'route', 'replace', 'default', 'via', addresses.gatewayLan.v4);
    net.exec('gateway', ['ip', 'neigh', 'flush', 'all']);
  });

  test('moved from one gateway to another it keeps name and totals', async () => {
    await map('bulk', '9000', '192.168.77.10:9000', '--bind', wan);
    sendBulk(net, 'wan', wan, 9000, 2_000_000);
    await until('the bytes', async () => (await program.view('bulk')).tx > 1_900_000);
    expect((await program.run('edit', 'bulk', '--via', 'relay')).code).toBe(0);
    await until('the kernel to have let go', () => ours().length === 0);
    sendBulk(net, 'wan', wan, 9000, 1_000_000);
    const moved = await program.view('bulk');
    expect(moved).toMatchObject({ via: 'relay', state: 'up', flowsTotal: 2 });
    expect(Math.abs(moved.tx / 3_000_000 - 1)).toBeLessThan(0.03);
    expect((await program.run('edit', 'bulk', '--via', 'nftables')).code).toBe(0);
    sendBulk(net, 'wan', wan, 9000, 1_000_000);
    const back = await until('the bytes', async () => {
      const view = await program.view('bulk');
      return view.tx > 3_900_000 ? view : null;
    });
    expect(Math.abs(back.tx / 4_000_000 - 1)).toBeLessThan(0.03);
    expect(back).toMatchObject({ via: 'nftables', state: 'up', flowsTotal: 3 });
  });

  test('without the right to the packet filter it says what to do', async () => {
    const plain = new Program(net, 'gateway', ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']);
    try {
      const ran = await plain.run('map', 'web', '8080', '192.168.77.10:80', '--via', 'nftables', '--up', '--json');
      expect(ran.code).toBe(4);
      const view = await plain.view('web');
      expect(view).toMatchObject({ state: 'failed', error: { code: 'gateway_denied' } });
      expect(view.error?.hint).toContain('CAP_NET_ADMIN');
      expect((await plain.run('rm', 'web')).code).toBe(0);
    } finally {
      await plain.close();
    }
  });
});

/** Makes a LAN host known to the gateway. */
const hello = ['socat', '-u', '-', `udp:${addresses.gatewayLan.v4}:9`];

const listener = `const [host, port] = process.argv.slice(1);
  require('net').createServer((s) => s.end()).listen({ host, port: +port }, () => console.log('ready'));`;
