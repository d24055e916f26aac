import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { Miniupnpd } from '../support/miniupnpd.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, echoServer } from '../support/netns-traffic.ts';
import { type ProgramHome, programHome, runUnder } from '../support/program.ts';
import { missing } from '../support/tools.ts';
import { triggerCases } from '../support/trigger-cases.ts';
import { answers, type Ground, must, opened, show, story } from '../support/trigger-ground.ts';
import { lastSeen, until } from '../support/until.ts';

const kernelMissing = netnsMissing() || missing('nft', 'conntrack', 'socat');

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

  test.each(['kernel', 'flows'])('what was counted stays, and no flow, when it closes: seen by %s', async (source) => {
    if (source === 'flows') {
      await must(at, 'map', 'proxy', '7000', `${addresses.wan.v4}:6667`, '--bind', addresses.gatewayLan.v4, '--up');
    }
    await must(at, 'trigger', 'irc', ...at.flags, '--source', source, '--up');
    if (source === 'flows') expect(await ask(topology, 'lan', 'tcp', addresses.gatewayLan.v4, 7000)).toBe('wan hello');
    else await at.call('first');
    await answers(at, 'first');
    const held = topology.spawn('wan', ['socat', '-', `tcp:${outside}:113`]);
    const counts = async () => {
      const { flows, flowsTotal, rx } = await show(at);
      return { flows, flowsTotal, rx };
    };
    // The counters follow the two connections within a second or so.
    let steady = { counts: await counts(), sinceMs: performance.now() };
    await until('the counts to stand still', async () => {
      const now = await counts();
      if (!isDeepStrictEqual(now, steady.counts)) steady = { counts: now, sinceMs: performance.now() };
      return now.flows > 0 && performance.now() - steady.sinceMs > 3000;
    });
    const before = steady.counts;
    await must(at, 'down', 'irc');
    await until('the flow to be gone', async () => (await counts()).flows === 0);
    expect(await counts()).toEqual({ ...before, flows: 0 });
    held.kill();
  });

  test('--try says what keeps a trigger from being in force', async () => {
    topology.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
    try {
      expect((await at.run(['trigger', 'irc', ...at.flags, '--up'])).code).toBe(4);
      expect((await must(at, 'trigger', 'irc', '--try', at.address.first, '--json')).json()).toEqual({
        would: 'refuse',
        why: 'IP forwarding is off on this machine',
      });
    } finally {
      topology.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    }
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
    const openAt = await lastSeen(
      'the kernel to close it by itself',
      () => !inKernel().includes(`"val": "${addresses.lan.v4}"`),
    );
    expect(openAt - lastUse).toBeLessThan(4000 + 2000);
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

    // Where this machine itself calls, the lease leads straight to it.
    await echoServer(topology, 'lan', 'tcp', 5113);
    expect(await ask(topology, 'lan', 'tcp', addresses.lan.v4, 7000)).toBe('wan hello');
    await until('a way to this machine', async () => (await inbound()) === 'lan hello');
  });
});
