import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { NftablesOptions } from '../../src/gateways/nftables/gateway.ts';
import type { KernelTrigger } from '../../src/gateways/nftables/kernel-triggers.ts';
import type { Opening, TriggerHistory } from '../../src/model/snapshot.ts';
import { addresses, type NetHost, netnsMissing, Topology } from '../support/netns.ts';
import { ask, echoServer } from '../support/netns-traffic.ts';
import { type KernelUnderTest, kernelGateway, rule } from '../support/nftables.ts';
import { missing } from '../support/tools.ts';
import { lastSeen, until } from '../support/until.ts';

const reason = netnsMissing() || missing('nft', 'conntrack', 'socat');
const outside = addresses.gatewayWan.v4;
const irc = (more: Partial<KernelTrigger> = {}): KernelTrigger => ({
  name: 'irc',
  on: [{ proto: 'tcp', first: 6660, last: 6669 }],
  open: [
    { proto: 'tcp', first: 113, last: 113 },
    { proto: 'udp', first: 2000, last: 2010 },
  ],
  idleMs: 3000,
  second: 'first',
  from: [],
  to: [],
  bind: null,
  maxOpenMs: null,
  closeFlows: false,
  allow: [],
  deny: [],
  ...more,
});

describe.skipIf(reason)('triggers in the kernel', () => {
  let net: Topology;
  let kernel: KernelUnderTest;
  const opened = new Map<string, readonly Opening[]>();
  const events: (TriggerHistory & { name: string })[] = [];
  const triggerReports = {
    state: (name: string, list: readonly Opening[]) => void opened.set(name, list),
    event: (name: string, event: TriggerHistory) => void events.push({ ...event, name }),
    refreshed: () => {},
  };
  const start = (...triggers: KernelTrigger[]) => startWith({}, ...triggers);
  const startWith = async (options: Partial<NftablesOptions>, ...triggers: KernelTrigger[]) => {
    kernel = kernelGateway(net, { triggerReports, ...options });
    await kernel.gateway.sync([], triggers);
  };
  const call = (host: NetHost, port = 6667) => ask(net, host, 'tcp', addresses.wan.v4, port);
  const inbound = (proto: 'tcp' | 'udp' = 'tcp', port = proto === 'tcp' ? 113 : 2005) =>
    ask(net, 'wan', proto, outside, port);
  const holder = () => opened.get('irc')?.[0]?.host;
  const told = () => events.map(({ what, host }) => `${what} ${host}`);

  beforeAll(async () => {
    net = Topology.create();
    for (const host of ['lan', 'lan2'] as const) {
      await echoServer(net, host, 'tcp', 113);
      await echoServer(net, host, 'udp', 2005);
    }
    for (const port of [6667, 6668, 7000]) await echoServer(net, 'wan', 'tcp', port);
    await echoServer(net, 'wan', 'udp', 6667);
    // the world does not know the way back to 192.168.77.0/24
    net.must('gateway', [
      'nft',
      'add table ip home; add chain ip home post { type nat hook postrouting priority srcnat; }; add rule ip home post ip saddr 192.168.77.0/24 oifname "wan0" masquerade',
    ]);
  });
  afterEach(async () => {
    expect(kernel.notes.filter(({ code }) => code === 'gateway_watch')).toEqual([]);
    await kernel?.gateway.clear();
    await kernel?.gateway.stop();
    net.exec('gateway', ['conntrack', '-F']);
    opened.clear();
    events.length = 0;
  });
  afterAll(() => net?.close());

  test('a call opens to that host alone; a second host neither takes nor prolongs it; silence closes it', async () => {
    await start(irc());
    expect(kernel.statuses.get('irc')).toMatchObject({ is: 'open', at: 'tcp/113,udp/2000-2010' });
    expect(await inbound()).toBeNull();
    expect(await inbound('udp')).toBeNull();
    expect(await call('lan', 7000)).toBe('wan hello');
    expect(await inbound()).toBeNull();

    expect(await call('lan')).toBe('wan hello');
    expect(await inbound()).toBe('lan hello');
    expect(await inbound('udp')).toBe('lan hello');
    await until('the owner to be seen', () => holder() === addresses.lan.v4);
    expect(opened.get('irc')).toMatchObject([
      { proto: 'tcp', ports: '113' },
      { proto: 'udp', ports: '2000-2010' },
    ]);
    const last = performance.now();
    const heldAt = await lastSeen('the first host to have it no more', async () => {
      await call('lan2');
      await inbound('tcp', 114);
      return !net.exec('gateway', ['nft', '-j', 'list', 'sets']).stdout.includes(`"val": "${addresses.lan.v4}"`);
    });
    expect(performance.now() - last).toBeGreaterThan(2500);
    expect(heldAt - last).toBeLessThan(5000);
    await until('the events', () => told().includes('closed 192.168.77.10'));
    expect(told().slice(0, 2).sort()).toEqual(['opened 192.168.77.10', 'refused 192.168.77.11']);
    const counters = (await kernel.gateway.counters()).get('irc');
    expect(counters).toMatchObject({ flowsTotal: 2, tx: 10, rx: 18 });
  });

  test('is refused again within two seconds of the idle time, on UDP too', async () => {
    await start(irc());
    await call('lan');
    expect(await inbound('udp')).toBe('lan hello');
    const last = performance.now();
    const openAt = await lastSeen('closing', async () => {
      await kernel.gateway.lookAtTriggers();
      return opened.get('irc')?.length === 0;
    });
    expect(openAt - last).toBeLessThan(3000 + 2000);
    expect(await inbound()).toBeNull();
    expect(await inbound('udp')).toBeNull();
    expect(net.exec('wan', ['socat', '-u', '-', `tcp:${outside}:113`]).stderr).toContain('refused');
    expect(await call('lan2')).toBe('wan hello');
    expect(await inbound()).toBe('lan2 hello');
  });

  test('inbound traffic keeps it open, either way', async () => {
    await start(irc());
    await call('lan');
    const held = talker(net, 'wan', outside, 113);
    const began = performance.now();
    await until('seven seconds of talk', () => performance.now() - began > 7000, { timeoutMs: 9000 });
    expect(holder()).toBe(addresses.lan.v4);
    expect(await inbound('udp')).toBe('lan hello');
    held.kill();
    await until('closing', () => opened.get('irc')?.length === 0);
  });

  test('the last caller takes it over where that is wanted, and the one before does not keep it open', async () => {
    await start(irc({ second: 'last', closeFlows: true }));
    await call('lan');
    expect(await inbound()).toBe('lan hello');
    const old = talker(net, 'wan', outside, 113);
    await until('the owner to be seen', () => holder() === addresses.lan.v4);
    await until('the talk', async () => (await kernel.gateway.flows('irc')).length === 1);
    await until('the owner to be seen', () => holder() === addresses.lan.v4);
    await call('lan2', 6668);
    expect(await inbound()).toBe('lan2 hello');
    await until('the events', () => told().includes('taken_over 192.168.77.11'));
    await until('the old flow to be cut', () => old.exitCode !== null);
    await until('closing', () => opened.get('irc')?.length === 0);
    expect(told().at(-1)).toBe('closed 192.168.77.11');
    await call('lan');
    expect(await inbound()).toBe('lan hello');
  });

  test('whoever held it before does not keep it open for the last caller, though no engine looks', async () => {
    await start(irc({ second: 'last' }));
    await kernel.gateway.stop();
    await call('lan');
    expect(await inbound()).toBe('lan hello');
    const old = talker(net, 'wan', outside, 113);
    const carried = () => net.exec('gateway', ['conntrack', '-L', '-p', 'tcp', '--dport', '113']).stdout;
    await until('the talk', () => carried().includes('ESTABLISHED'));
    await call('lan2');
    expect(await inbound()).toBe('lan2 hello');
    await until('it to close', async () => (await inbound()) === null, { timeoutMs: 16_000, everyMs: 4200 });
    expect(old.exitCode).toBeNull();
    expect(await call('lan')).toBe('wan hello');
    expect(await inbound()).toBe('lan hello');
    old.kill();
  });

  test('whoever takes it back while the engine puts away those before is not put away with them', async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'late-nft-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const late = path.join(dir, 'nft');
    const again = `ip netns exec ${net.namespace('lan')} socat -u /dev/null tcp:${addresses.wan.v4}:6668`;
    writeFileSync(
      late,
      `#!/bin/sh
text=$(cat)
case "$text" in *'delete element'*_host4*) mkdir ${dir}/called && ${again} ;; esac
printf '%s\\n' "$text" | nft "$@"
`,
      { mode: 0o755 },
    );
    await startWith({ nft: late }, irc({ second: 'last', idleMs: 20_000 }));
    await call('lan');
    await until('the owner to be seen', () => holder() === addresses.lan.v4);
    await call('lan2');
    await until('the call in between', () => existsSync(path.join(dir, 'called')));
    await kernel.gateway.lookAtTriggers();
    expect(holder()).toBe(addresses.lan.v4);
    expect(await inbound()).toBe('lan hello');
  });

  test('only from the hosts, to the destinations and for the sources it names', async () => {
    await start(
      irc({ from: ['192.168.77.11'], to: ['80.100.100.0/24'], allow: ['80.100.100.2'] }),
      irc({ name: 'far', open: [{ proto: 'tcp', first: 114, last: 114 }], to: ['203.0.113.0/24'] }),
      irc({
        name: 'shut',
        on: [{ proto: 'udp', first: 6667, last: 6667 }],
        open: [{ proto: 'tcp', first: 2005, last: 2005 }],
        deny: ['80.100.100.2'],
      }),
    );
    await call('lan');
    expect(await inbound()).toBeNull();
    await call('lan2');
    expect(await inbound()).toBe('lan2 hello');
    expect(await inbound('tcp', 114)).toBeNull();
    expect(await ask(net, 'lan', 'udp', addresses.wan.v4, 6667)).toBe('wan hello');
    expect(net.exec('wan', ['socat', '-u', '-', `tcp:${outside}:2005`]).stderr).toContain('refused');
    expect((await kernel.gateway.counters()).get('shut')?.refused).toBeGreaterThan(0);
  });

  test('nobody outside can trigger, nor a host that lends itself another address', async () => {
    await start(irc());
    await echoServer(net, 'lan2', 'tcp', 6667);
    await ask(net, 'wan', 'tcp', addresses.lan2.v6, 6667);
    net.ip('lan', 'addr', 'add', '203.0.113.77/32', 'dev', 'lo');
    net.exec('lan', ['socat', '-u', '-', `tcp:${addresses.wan.v4}:6667,bind=203.0.113.77,connect-timeout=1`]);
    expect(net.must('gateway', ['nft', '-j', 'list', 'sets'])).not.toMatch(/"val": "(80\.|203\.|2001:db8:1)/);
    expect(await inbound()).toBeNull();
  });

  test('trigger ranges that overlap each open their own', async () => {
    await start(
      irc(),
      irc({
        name: 'wide',
        on: [{ proto: 'tcp', first: 6000, last: 7000 }],
        open: [{ proto: 'udp', first: 2005, last: 2005 }],
      }),
      irc({
        name: 'wider',
        on: [{ proto: 'tcp', first: 6665, last: 8000 }],
        open: [
          { proto: 'udp', first: 1999, last: 1999 },
          { proto: 'udp', first: 2011, last: 2011 },
        ],
      }),
    );
    expect(kernel.statuses.get('wide')).toMatchObject({
      is: 'failed',
      error: { code: 'conflict', message: 'udp 2005 overlaps irc' },
    });
    await kernel.gateway.sync(
      [rule('web', 8080, 113)],
      [
        irc({ open: [{ proto: 'tcp', first: 113, last: 113 }] }),
        irc({
          name: 'wide',
          on: [{ proto: 'tcp', first: 6000, last: 7000 }],
          open: [{ proto: 'udp', first: 2005, last: 2005 }],
        }),
        irc({ name: 'taken', open: [{ proto: 'tcp', first: 8000, last: 8090 }] }),
      ],
    );
    expect(kernel.statuses.get('taken')).toMatchObject({ error: { message: 'tcp 8000-8090 overlaps web' } });
    await call('lan', 7000);
    expect(await inbound()).toBeNull();
    expect(await inbound('udp')).toBe('lan hello');
    await call('lan2');
    expect(await inbound()).toBe('lan2 hello');
    expect(await inbound('udp')).toBe('lan hello');
    expect(await inbound('tcp', 8080)).toBe('lan hello');
  });

  test('the longest time open ends it in the middle of traffic, and a new call opens it again', async () => {
    await start(irc({ maxOpenMs: 4000, closeFlows: true }));
    await call('lan');
    const held = talker(net, 'wan', outside, 113);
    const began = performance.now();
    await until('the flow to be cut', () => held.exitCode !== null);
    // its traffic alone would have kept it open
    expect(performance.now() - began).toBeGreaterThan(2500);
    await until('the event', () => told().includes('closed 192.168.77.10'));
    expect(await inbound()).toBeNull();
    await call('lan');
    expect(await inbound()).toBe('lan hello');
  });

  test('by hand: opened for a host that did not call, longer than the idle time if told so, and closed', async () => {
    await start(irc());
    await kernel.gateway.openTrigger('irc', addresses.lan2.v4, 60_000);
    expect(await inbound()).toBe('lan2 hello');
    await call('lan');
    await call('lan2');
    await until('a look', () => told().includes('refused 192.168.77.10'));
    expect(Date.parse(opened.get('irc')?.[0]?.expiresAt ?? '') - Date.now()).toBeGreaterThan(50_000);
    expect(events[0]).toMatchObject({ what: 'opened', why: 'by hand' });
    expect(await kernel.gateway.tryTrigger('irc', addresses.lan.v4)).toMatchObject({ would: 'refuse' });
    expect(await kernel.gateway.tryTrigger('irc', addresses.lan2.v4)).toMatchObject({ would: 'refresh' });
    await kernel.gateway.closeTrigger('irc');
    expect(await kernel.gateway.tryTrigger('irc', addresses.lan.v4)).toMatchObject({ would: 'open' });
    expect(opened.get('irc')).toEqual([]);
    expect(events.at(-1)).toMatchObject({ what: 'closed', why: 'by hand', host: addresses.lan2.v4 });
    expect(await inbound()).toBeNull();
    await expect(kernel.gateway.openTrigger('nope', addresses.lan.v4, 1000)).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(kernel.gateway.openTrigger('irc', 'x; drop', 1000)).rejects.toMatchObject({ code: 'bad_value' });
  });

  test('an engine that is gone leaves nothing open; the next one finds what still is', async () => {
    await start(irc());
    await call('lan');
    await until('the event', () => told().includes('opened 192.168.77.10'));
    await kernel.gateway.stop(); // nothing looks any more
    events.length = 0;
    opened.clear();
    await start(irc());
    expect(holder()).toBe(addresses.lan.v4);
    expect(events).toEqual([]);
    expect(await inbound()).toBe('lan hello');
    await kernel.gateway.stop();
    await until('closing without an engine', async () => (await inbound()) === null, {
      timeoutMs: 16_000,
      everyMs: 4200,
    });
    expect(await inbound('udp')).toBeNull();
  });

  test('a foreign flush gives the port back to its holder; changing other rules leaves it alone', async () => {
    await start(irc({ idleMs: 60_000 }));
    await call('lan');
    await until('the owner to be seen', () => holder() === addresses.lan.v4);
    net.must('gateway', ['nft', 'delete', 'table', 'inet', 'sallyport_test']);
    await until('the repair', () => kernel.notes.some(({ code }) => code === 'gateway_flushed'));
    expect(await inbound()).toBe('lan hello');
    await kernel.gateway.sync([rule('web', 8080, 113)]);
    expect(await inbound()).toBe('lan hello');
    expect(await inbound('tcp', 8080)).toBe('lan hello');
    expect(told()).toEqual(['opened 192.168.77.10']);
  });

  test('a rule that is changed or taken down closes what it had open', async () => {
    await start(irc({ idleMs: 60_000 }));
    await call('lan');
    await until('the owner to be seen', () => holder() === addresses.lan.v4);
    await kernel.gateway.sync([], [irc({ idleMs: 60_000, from: ['192.168.77.11'] })]);
    expect(opened.get('irc')).toEqual([]);
    expect(await inbound()).toBeNull();
    await call('lan2');
    expect(await inbound()).toBe('lan2 hello');
    await until('the owner to be seen', () => holder() === addresses.lan2.v4);
    await kernel.gateway.sync([], []);
    expect(opened.get('irc')).toEqual([]);
    expect(events.filter(({ what }) => what === 'closed')).toMatchObject([
      { host: addresses.lan.v4, why: 'its rule was changed' },
      { host: addresses.lan2.v4, why: 'it was taken down' },
    ]);
  });

  test('IPv6: translated at the gateway, and gated where addresses are routed', async () => {
    await start(irc());
    const six = (address: string) => ask(net, 'wan', 'tcp', address, 113);
    expect(await six(addresses.gatewayWan.v6)).toBeNull();
    expect(await six(addresses.lan.v6)).toBeNull();
    expect(await ask(net, 'lan', 'tcp', addresses.wan.v6, 6667)).toBe('wan hello');
    expect(await six(addresses.gatewayWan.v6)).toBe('lan hello');
    expect(await six(addresses.lan.v6)).toBe('lan hello');
    expect(await six(addresses.lan2.v6)).toBeNull();
    await until('the owner', () => holder() === addresses.lan.v6);
    // a call of a LAN host to the same port elsewhere is nobody's business
    await echoServer(net, 'wan', 'tcp', 113);
    expect(await ask(net, 'lan2', 'tcp', addresses.wan.v6, 113)).toBe('wan hello');
    await until('closing', () => opened.get('irc')?.length === 0);
    expect(await six(addresses.lan.v6)).toBeNull();
  });

  test('the outside is named, or found, or asked for', async () => {
    await start(
      irc({ bind: 'wan0' }),
      irc({ name: 'addr', bind: outside, open: [{ proto: 'tcp', first: 1, last: 9 }] }),
      irc({ name: 'not', bind: '203.0.113.1', open: [{ proto: 'tcp', first: 10, last: 10 }] }),
    );
    expect(kernel.statuses.get('addr')).toMatchObject({ is: 'open' });
    expect(kernel.statuses.get('not')).toMatchObject({ error: { code: 'address_unavailable' } });
    await call('lan');
    expect(await inbound()).toBe('lan hello');
  });
});

/** A client that sends all the time and ends when it is cut off. */
function talker(net: Topology, host: NetHost, address: string, port: number): ChildProcess {
  const script = `const s = require('net').connect(${port}, '${address}'); s.resume();
    s.on('error', () => process.exit(2)); s.on('close', () => process.exit(1)); setInterval(() => s.write('x'), 200);`;
  return net.spawn(host, [process.execPath, '-e', script]);
}
