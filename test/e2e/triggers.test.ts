// Triggers through the built program: in the kernel, by the engine's own flows, and on the far side of an SSH server.
import { execFileSync, spawn } from 'node:child_process';
import { chownSync } from 'node:fs';
import type { Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { askFrom, loopbackHosts, portFreeOn, talker } from '../support/loopback-ground.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, echoServer } from '../support/netns-traffic.ts';
import { freePort } from '../support/ports.ts';
import { type ProgramHome, program, programHome, type Ran } from '../support/program.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { triggerCases } from '../support/trigger-cases.ts';
import { answers, type Ground, type Inside, must, opened, story } from '../support/trigger-ground.ts';
import { until } from '../support/until.ts';

/** Runs the program with words put before it, such as another network namespace. */
async function runUnder(prefix: readonly string[], home: ProgramHome, words: readonly string[]): Promise<Ran> {
  const [command = program, ...rest] = [...prefix, program, ...words];
  const child = spawn(command, rest, { env: home.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr, json: () => JSON.parse(stdout) };
}

const idOf = (what: '-u' | '-g') => Number(execFileSync('id', [what, 'nobody'], { encoding: 'utf8' }));
const [nobody, nogroup] = [idOf('-u'), idOf('-g')];

const kernelMissing = netnsMissing() || missing('nft', 'conntrack');

describe.skipIf(kernelMissing)('in the kernel', () => {
  let net: Topology;
  let home: ProgramHome;
  let at: Ground;
  const outside = addresses.gatewayWan.v4;

  beforeAll(async () => {
    net = Topology.create();
    for (const host of ['lan', 'lan2'] as const) {
      await echoServer(net, host, 'tcp', 113);
      await echoServer(net, host, 'udp', 2005);
    }
    await echoServer(net, 'wan', 'tcp', 6667);
    // the world does not know the way back to the LAN
    net.must('gateway', [
      'nft',
      'add table ip home; add chain ip home post { type nat hook postrouting priority srcnat; }; add rule ip home post ip saddr 192.168.77.0/24 oifname "wan0" masquerade',
    ]);
  });
  beforeEach(() => {
    home = programHome();
    const prefix = ['ip', 'netns', 'exec', net.namespace('gateway')];
    const places = { first: 'lan', second: 'lan2' } as const;
    at = {
      address: { first: addresses.lan.v4, second: addresses.lan2.v4 },
      flags: ['--on', 'tcp/6660-6669', '--open', 'tcp/113,udp/2000-2010', '--via', 'nftables'],
      run: (words) => runUnder(prefix, home, words),
      async call(host) {
        expect(await ask(net, places[host], 'tcp', addresses.wan.v4, 6667)).toBe('wan hello');
      },
      async inbound() {
        const answer = await ask(net, 'wan', 'tcp', outside, 113);
        return answer === null ? null : answer.startsWith('lan2 ') ? 'second' : 'first';
      },
    };
  });
  afterEach(async () => {
    await home.remove();
    net.exec('gateway', ['conntrack', '-F']);
  });
  afterAll(() => net?.close());

  triggerCases(() => at);

  test('UDP ranges open and close with it', async () => {
    await must(at, 'trigger', 'irc', ...at.flags, '--idle', '2s', '--up');
    const inbound = () => ask(net, 'wan', 'udp', outside, 2005);
    expect(await inbound()).toBeNull();
    await at.call('first');
    expect(await inbound()).toBe('lan hello');
    const what = async () => (await opened(at)).map(({ proto, ports }) => `${proto} ${ports}`).join();
    await until('the opening to be shown', async () => (await what()) === 'tcp 113,udp 2000-2010');
    await until('it to close', async () => (await opened(at)).length === 0);
    expect(await inbound()).toBeNull();
  });

  test('closes in time though the engine is killed; a restarted one knows at once what is open', async () => {
    await must(at, 'trigger', 'irc', ...at.flags, '--idle', '4s', '--up');
    await at.call('first');
    await until('the opening', async () => (await opened(at)).length > 0);
    process.kill(await home.enginePid(), 'SIGKILL');
    await at.call('first');
    const lastUse = performance.now();
    expect(await at.inbound()).toBe('first');
    const [row] = (await must(at, 'ls', '--json')).json<ForwardView[]>();
    expect(row).toMatchObject({ state: 'up', opened: [{ host: addresses.lan.v4 }, { host: addresses.lan.v4 }] });

    await at.call('first');
    process.kill(await home.enginePid(), 'SIGKILL');
    await until('the kernel to close it by itself', async () => (await at.inbound()) === null || null, {
      everyMs: 4500,
      timeoutMs: 20_000,
    }).catch(() => {});
    expect(performance.now() - lastUse).toBeGreaterThan(3000);
    expect(await at.inbound()).toBeNull();
    const [after] = (await must(at, 'ls', '--json')).json<ForwardView[]>();
    expect(after).toMatchObject({ state: 'up', opened: [] });
    await at.call('second');
    await answers(at, 'second');
    await until('the story to go on', async () => (await story(at)).includes(`opened ${addresses.lan2.v4}`));
  });
});

/** The same cases without privileges; the inside hosts are two addresses of the loopback. */
describe.skipIf(missing('sshd', 'ssh') || process.getuid?.() !== 0)(
  'by the flows of the engine, as an ordinary user',
  () => {
    let sshd: Sshd;
    let home: ProgramHome;
    let irc: Server;
    let ports: { irc: number; open: number; forward: number };
    const servers: Server[] = [];
    const prefix = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'];
    const run = (words: readonly string[]) => runUnder(prefix, home, words);
    const from = (answer: string | null) =>
      answer === null ? null : answer.startsWith('second ') ? ('second' as const) : ('first' as const);
    const inbound = async () => from(await askFrom('127.0.0.1', ports.open));
    const trigger = () => ['--on', `tcp/${ports.irc}`, '--open', `tcp/${ports.open}`];

    beforeAll(async () => {
      sshd = await Sshd.start();
      // What the user reads is the user's.
      for (const file of [sshd.dir, sshd.key, sshd.clientConfig, sshd.knownHosts]) chownSync(file, nobody, nogroup);
    });
    beforeEach(async () => {
      home = programHome();
      chownSync(home.dir, nobody, nogroup);
      home.env.HOME = home.dir;
      const all = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
      ports = { irc: await freePort(), open: await portFreeOn(all), forward: await freePort() };
      irc = await talker('127.0.0.1', ports.irc, 'irc');
      servers.push(irc);
      for (const host of ['first', 'second'] as const)
        servers.push(await talker(loopbackHosts[host], ports.open, host));
    });
    afterEach(async () => {
      await home.remove();
      for (const server of servers.splice(0)) server.close();
    });
    afterAll(() => sshd?.stop());

    const socks = () =>
      must({ run }, 'add', 'proxy', 'box', '-F', sshd.clientConfig, '-D', `127.0.0.1:${ports.forward}`, '--up');
    const local = () =>
      must(
        { run },
        'add',
        'proxy',
        'box',
        '-F',
        sshd.clientConfig,
        '-L',
        `127.0.0.1:${ports.forward}:127.0.0.1:${ports.irc}`,
        '--up',
      );
    const relay = () => must({ run }, 'map', 'proxy', String(ports.forward), `127.0.0.1:${ports.irc}`, '--up');
    const through = (to?: { host: string; port: number }) => async (host: Inside) => {
      expect(await askFrom(loopbackHosts[host], ports.forward, to)).toBe('irc hello');
    };

    describe.each([
      { source: 'SOCKS', opens: 'a relay', start: socks, via: 'relay', proxy: true },
      { source: 'a relay', opens: 'a relay', start: relay, via: 'relay', proxy: false },
      { source: 'SOCKS', opens: 'a port of the SSH server', start: socks, via: 'remote', proxy: true },
      { source: 'a local forward', opens: 'a port of the SSH server', start: local, via: 'remote', proxy: false },
    ])('$source calls, $opens opens', ({ start, via, proxy }) => {
      let at: Ground;
      beforeEach(async () => {
        await start();
        const to = proxy ? { host: '127.0.0.1', port: ports.irc } : undefined;
        at = { address: loopbackHosts, flags: [...trigger(), '--via', via], run, call: through(to), inbound };
      });
      triggerCases(() => at);
    });
  },
);
