// Triggers through the built program: in the kernel, by the engine's own flows, and on the far side of an SSH server.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import net, { type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { askFrom, loopbackHosts, portFreeOn, talker } from '../support/loopback-ground.ts';
import { Miniupnpd } from '../support/miniupnpd.ts';
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
  let topology: Topology;
  let home: ProgramHome;
  let at: Ground;
  const outside = addresses.gatewayWan.v4;
  const places = { first: 'lan', second: 'lan2' } as const;

  beforeAll(async () => {
    topology = Topology.create();
    for (const host of ['lan', 'lan2'] as const) {
      await echoServer(topology, host, 'tcp', 113);
      await echoServer(topology, host, 'udp', 2005);
    }
    await echoServer(topology, 'wan', 'tcp', 6667);
    // the world does not know the way back to the LAN
    topology.must('gateway', [
      'nft',
      'add table ip home; add chain ip home post { type nat hook postrouting priority srcnat; }; add rule ip home post ip saddr 192.168.77.0/24 oifname "wan0" masquerade',
    ]);
  });
  beforeEach(() => {
    home = programHome();
    const prefix = ['ip', 'netns', 'exec', topology.namespace('gateway')];
    at = {
      address: { first: addresses.lan.v4, second: addresses.lan2.v4 },
      flags: ['--on', 'tcp/6660-6669', '--open', 'tcp/113,udp/2000-2010', '--via', 'nftables'],
      run: (words) => runUnder(prefix, home, words),
      async call(host) {
        expect(await ask(topology, places[host], 'tcp', addresses.wan.v4, 6667)).toBe('wan hello');
      },
      async inbound() {
        const answer = await ask(topology, 'wan', 'tcp', outside, 113);
        return answer === null ? null : answer.startsWith('lan2 ') ? 'second' : 'first';
      },
    };
  });
  afterEach(async () => {
    await home.remove();
    topology.exec('gateway', ['conntrack', '-F']);
  });
  afterAll(() => topology?.close());

  triggerCases(() => at);

  describe('with the flows of a relay as the source', () => {
    beforeEach(async () => {
      const inside = addresses.gatewayLan.v4;
      await must(at, 'map', 'proxy', '7000', `${addresses.wan.v4}:6667`, '--bind', inside, '--up');
      at = {
        ...at,
        flags: [...at.flags, '--source', 'flows'],
        async call(host) {
          expect(await ask(topology, places[host], 'tcp', inside, 7000)).toBe('wan hello');
        },
      };
    });
    triggerCases(() => at);

    test('a killed engine leaves a rule, which its successor takes away when the time is over', async () => {
      await must(at, 'trigger', 'irc', ...at.flags, '--idle', '2s', '--up');
      await at.call('first');
      await answers(at, 'first');
      process.kill(await home.enginePid(), 'SIGKILL');
      expect(await at.inbound()).toBe('first');
      await new Promise((resolve) => setTimeout(resolve, 3500));
      const [, row] = (await must(at, 'ls', '--json')).json<ForwardView[]>();
      expect(row).toMatchObject({ name: 'irc', state: 'up', opened: [] });
      expect(await at.inbound()).toBeNull();
    });
  });

  test('UDP ranges open and close with it', async () => {
    await must(at, 'trigger', 'irc', ...at.flags, '--idle', '2s', '--up');
    const inbound = () => ask(topology, 'wan', 'udp', outside, 2005);
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
    expect(await at.inbound()).toBe('first');
    const [row] = (await must(at, 'ls', '--json')).json<ForwardView[]>();
    expect(row).toMatchObject({ state: 'up', opened: [{ host: addresses.lan.v4 }, { host: addresses.lan.v4 }] });

    const pid = await home.enginePid();
    await at.call('first');
    const lastUse = performance.now();
    process.kill(pid, 'SIGKILL');
    const inKernel = () => topology.exec('gateway', ['nft', '-j', 'list', 'sets']).stdout;
    await until('the kernel to close it by itself', () => !inKernel().includes(`"val": "${addresses.lan.v4}"`));
    expect(performance.now() - lastUse).toBeLessThan(4000 + 2000);
    expect(await at.inbound()).toBeNull();
    const [after] = (await must(at, 'ls', '--json')).json<ForwardView[]>();
    expect(after).toMatchObject({ state: 'up', opened: [] });
    await until('the second host to get it', async () => {
      await at.call('second');
      return (await at.inbound()) === 'second';
    });
    await until('the story to go on', async () => (await story(at)).includes(`opened ${addresses.lan2.v4}`));
  });
});

describe.skipIf(kernelMissing || missing('miniupnpd'))('behind a router', () => {
  let topology: Topology;
  let router: Miniupnpd;
  let home: ProgramHome;

  beforeAll(async () => {
    topology = Topology.create();
    router = await Miniupnpd.start(topology);
    home = programHome();
    await echoServer(topology, 'lan2', 'tcp', 5113);
    await echoServer(topology, 'wan', 'tcp', 6667);
  });
  afterAll(async () => {
    await home?.remove();
    await router?.stop();
    await topology?.close();
  });

  test('a call through a relay of this machine gets a lease, and loses it', async () => {
    const at = {
      run: (words: readonly string[]) => runUnder(['ip', 'netns', 'exec', topology.namespace('lan')], home, words),
    };
    const inbound = () => ask(topology, 'wan', 'tcp', addresses.gatewayWan.v4, 5113);
    await must(at, 'map', 'proxy', '7000', `${addresses.wan.v4}:6667`, '--bind', addresses.lan.v4, '--up');
    await must(
      at,
      'trigger',
      'irc',
      '--on',
      'tcp/6667',
      '--open',
      'tcp/5113',
      '--via',
      'router',
      '--idle',
      '6s',
      '--up',
    );
    expect(await inbound()).toBeNull();
    expect(await ask(topology, 'lan2', 'tcp', addresses.lan.v4, 7000)).toBe('wan hello');
    await until('the lease', () => router.mapped().includes('tcp/5113'));
    await until('a way in', async () => (await inbound()) === 'lan2 hello');
    const shown = (await must(at, 'show', 'irc', '--json')).json<ForwardView>();
    expect(shown).toMatchObject({ state: 'up', error: null, opened: [{ host: addresses.lan2.v4, ports: '5113' }] });
    await until('the lease to be given back', () => router.mapped().length === 0);
    expect(await inbound()).toBeNull();
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

    describe('whatever the source', () => {
      const at = (call: Ground['call']): Ground => ({ address: loopbackHosts, flags: trigger(), run, call, inbound });
      const row = async () =>
        (await must({ run }, 'ls', '--json')).json<ForwardView[]>().find(({ name }) => name === 'irc');

      test('a killed engine: what has time left is adopted with it, what has none stays closed', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '8s', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const before = await until('the opening', async () => (await opened(ground))[0]);
        process.kill(await home.enginePid(), 'SIGKILL');
        await until('it to be gone', async () => (await inbound()) === null);
        const after = (await row())?.opened[0];
        expect(after).toMatchObject({ host: loopbackHosts.first });
        expect(Math.abs(Date.parse(after?.expiresAt ?? '') - Date.parse(before.expiresAt))).toBeLessThan(1500);
        await answers(ground, 'first');
        await until('an end', async () => (await opened(ground)).length === 0);
        expect(await inbound()).toBeNull();

        await must(ground, 'edit', 'irc', '--idle', '1s');
        await ground.call('second');
        const ends = Date.parse((await until('the opening', async () => (await opened(ground))[0])).expiresAt);
        process.kill(await home.enginePid(), 'SIGKILL');
        await until('its time to be over', () => Date.now() > ends + 1000);
        expect((await row())?.opened).toEqual([]);
        expect(await inbound()).toBeNull();
      });

      test('a killed engine opens the port of the SSH server again once it is connected', async () => {
        await socks();
        const ground = at(through({ host: '127.0.0.1', port: ports.irc }));
        await must(ground, 'trigger', 'irc', ...trigger(), '--via', 'remote', '--idle', '15s', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        await until('the opening to be kept', async () => (await opened(ground)).length === 1);
        process.kill(await home.enginePid(), 'SIGKILL');
        await until('it to be gone', async () => (await inbound()) === null);
        expect((await row())?.opened).toMatchObject([{ host: loopbackHosts.first }]);
        await answers(ground, 'first');
        await must(ground, 'close', 'irc');
        await answers(ground, null);
      });

      test('connections of a former holder go on, and do not keep it open for the new one', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '2s', '--second', 'last', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const old = net.connect(ports.open, '127.0.0.1');
        const beat = setInterval(() => old.write('.'), 100);
        try {
          expect(String((await once(old, 'data'))[0])).toBe('first ');
          await ground.call('second');
          await until('a new holder', async () => (await opened(ground))[0]?.host === loopbackHosts.second);
          await until('it to close', async () => (await opened(ground)).length === 0, { timeoutMs: 8000 });
          await once(old, 'data');
          expect((await must(ground, 'show', 'irc', '--json')).json<ForwardView>().flows).toBe(1);
        } finally {
          clearInterval(beat);
          old.destroy();
        }
      });

      test('--close-flows cuts what still runs', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '2s', '--close-flows', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const quiet = net.connect(ports.open, '127.0.0.1');
        quiet.on('error', () => {}).resume();
        await new Promise((resolve) => quiet.once('close', resolve));
        expect(await opened(ground)).toEqual([]);
      });

      test('who may not use the forward opens nothing, and what comes in is no call out', async () => {
        await must(
          { run },
          'map',
          'proxy',
          String(ports.forward),
          `127.0.0.1:${ports.irc}`,
          '--allow',
          '127.0.0.2',
          '--up',
        );
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '5s', '--up');
        // Its trigger port is the very port the first one opens.
        await must(ground, 'trigger', 'next', '--on', `tcp/${ports.open}`, '--open', `tcp/${await freePort()}`, '--up');
        expect(await askFrom(loopbackHosts.second, ports.forward)).toBeNull();
        expect(await opened(ground)).toEqual([]);
        await ground.call('first');
        await answers(ground, 'first');
        expect((await opened(ground))[0]?.host).toBe(loopbackHosts.first);
        expect(await opened(ground, 'next')).toEqual([]);
      });

      test('a thousand calls of a host are one claim', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '5s', '--up');
        for (let i = 0; i < 20; i++) {
          await Promise.all(Array.from({ length: 50 }, () => askFrom(loopbackHosts.first, ports.forward)));
        }
        expect((await opened(ground))[0]?.host).toBe(loopbackHosts.first);
        const told = (await must(ground, 'events', 'irc', '--json')).stdout.split('\n');
        expect(told.filter((line) => line.includes('"trigger_')).length).toBeLessThanOrEqual(2);
      });

      test('what cannot be, or is taken, is refused by name', async () => {
        const refusal = async (...words: string[]) => {
          const { code, stderr } = await run(words);
          expect(code).toBe(1);
          return stderr;
        };
        await must({ run }, 'trigger', 'irc', ...trigger());
        await must({ run }, 'map', 'web', '8080', '127.0.0.1:80');
        expect(await refusal('trigger', 'a', '--on', 'tcp/1', '--open', 'udp/2000', '--via', 'remote')).toContain(
          'SSH forwards TCP alone',
        );
        expect(await refusal('trigger', 'a', '--on', 'tcp/1', '--open', `tcp/${ports.open}`)).toContain(
          'which irc has',
        );
        expect(await refusal('trigger', 'a', '--on', 'tcp/1', '--open', 'tcp/8000-8100')).toContain('which web has');
        await must({ run }, 'trigger', 'far', '--on', 'tcp/1', '--open', 'tcp/6000', '--via', 'remote');
        expect(await refusal('trigger', 'a', '--on', 'tcp/2', '--open', 'tcp/6000', '--via', 'remote')).toContain(
          'which far has',
        );
        await must({ run }, 'trigger', 'preset', '--preset', 'irc-ident');
        expect((await must({ run }, 'presets')).stdout).toContain('irc-ident');
      });
    });
  },
);
