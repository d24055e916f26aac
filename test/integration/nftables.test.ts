import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, echoServer } from '../support/netns-traffic.ts';
import { inGateway, type KernelUnderTest, kernelGateway, rule } from '../support/nftables.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const reason = netnsMissing() || missing('nft', 'conntrack');
const wan = addresses.gatewayWan.v4;

describe.skipIf(reason)('mappings in the kernel', () => {
  let net: Topology;
  let kernel: KernelUnderTest;
  const nft = (...args: string[]) => net.must('gateway', ['nft', ...args]);

  beforeAll(async () => {
    net = Topology.create();
    for (const proto of ['tcp', 'udp'] as const) {
      for (const host of ['lan', 'lan2'] as const) {
        await echoServer(net, host, proto, 80);
        await echoServer(net, host, proto, 6002);
      }
    }
    await echoServer(net, 'lan', 'tcp', 7003);
    await echoServer(net, 'gateway', 'tcp', 9000);
  });
  afterEach(async () => {
    await kernel?.gateway.clear();
    await kernel?.gateway.stop();
    net.exec('gateway', ['conntrack', '-F']);
  });
  afterAll(() => net?.close());

  test('one port, a range, a shifted range, UDP; each reached from outside', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([
      rule('web', 8080, 80),
      rule('range', 6000, 6000, { external: { address: null, first: 6000, last: 6003 } }),
      rule('shifted', 5000, 7000, { external: { address: wan, first: 5000, last: 5003 } }),
      rule('dns', 8080, 80, { proto: 'udp', internal: { address: '192.168.77.11', first: 80 } }),
    ]);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', wan, 6002)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', wan, 5003)).toBe('lan hello');
    expect(await ask(net, 'wan', 'udp', wan, 8080)).toBe('lan2 hello');
    expect(await ask(net, 'wan', 'tcp', wan, 8081)).toBeNull();
    expect(kernel.statuses.get('web')).toMatchObject({ is: 'open', at: 'tcp/0.0.0.0:8080' });
    expect(kernel.statuses.get('shifted')).toMatchObject({ is: 'open', at: `tcp/${wan}:5000-5003` });
    const counters = await kernel.gateway.counters();
    expect(counters.get('range')).toMatchObject({ flowsTotal: 1, tx: 5, rx: 9 });
  });

  test('from the LAN over the outside address, from the gateway itself, and with the source replaced', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([rule('web', 8080, 80), rule('masked', 8081, 80, { masquerade: true })]);
    expect(await ask(net, 'lan2', 'tcp', wan, 8080)).toBe('lan hello');
    expect(await ask(net, 'lan', 'tcp', wan, 8080)).toBe('lan hello');
    expect(await ask(net, 'gateway', 'tcp', wan, 8080)).toBe('lan hello');
    expect((await kernel.gateway.counters()).get('web')).toMatchObject({ flowsTotal: 3, tx: 15, rx: 27 });
    expect(await ask(net, 'wan', 'tcp', wan, 8081)).toBe('lan hello');
    const seen = net.must('gateway', ['conntrack', '-L', '-p', 'tcp', '--orig-port-dst', '8081']);
    expect(seen).toContain(`dst=${addresses.gatewayLan.v4} `);
  });

  test('bytes are those moved, both ways, within 3 %', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([rule('bulk', 8088, 9999), rule('other', 8089, 80)]);
    const size = 20_000_000;
    const sink = net.spawn('lan', [process.execPath, '-e', bulkServer, '9999', String(size / 4)]);
    await new Promise((resolve) => sink.stdout?.once('data', resolve));
    net.must('wan', [process.execPath, '-e', bulkClient, wan, '8088', String(size)]);
    const counters = await kernel.gateway.counters();
    const { rx, tx } = counters.get('bulk') ?? { rx: 0, tx: 0 };
    expect(Math.abs(tx / size - 1)).toBeLessThan(0.03);
    expect(Math.abs(rx / (size / 4) - 1)).toBeLessThan(0.03);
    expect(counters.get('other')).toMatchObject({ rx: 0, tx: 0, flowsTotal: 0 });
  });

  test('lists let in and keep out, and who is kept out is refused at once and counted', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([
      rule('in', 8080, 80, { allow: ['80.100.100.0/24', '80.100.100.2/32'] }),
      rule('out', 8081, 80, { allow: ['203.0.113.0/24'] }),
      rule('denied', 8082, 80, { allow: ['80.0.0.0/8'], deny: ['80.100.100.2'] }),
      rule('udp-out', 8081, 80, { proto: 'udp', deny: ['80.100.100.0/24'] }),
      rule('ranged', 9100, 80, { external: { address: wan, first: 9100, last: 9110 }, allow: ['203.0.113.9'] }),
    ]);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    for (const port of [8081, 8082, 9105]) {
      const started = performance.now();
      expect(await ask(net, 'wan', 'tcp', wan, port)).toBeNull();
      expect(net.exec('wan', ['socat', '-u', '-', `tcp:${wan}:${port}`]).stderr).toContain('refused');
      expect(performance.now() - started).toBeLessThan(15_000);
    }
    expect(await ask(net, 'wan', 'udp', wan, 8081)).toBeNull();
    const counters = await kernel.gateway.counters();
    expect(counters.get('out')).toMatchObject({ refused: 2, flowsTotal: 0 });
    expect(counters.get('udp-out')?.refused).toBeGreaterThan(0);
    expect(counters.get('in')).toMatchObject({ refused: 0, flowsTotal: 1 });
  });

  test('connections at a time, and bytes a second', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([
      rule('two', 8080, 80, { maxFlows: 2 }),
      rule('slow', 8088, 9998, { rateBytesPerSecond: 1_000_000 }),
    ]);
    const held = [1, 2].map(() => net.spawn('wan', ['socat', '-', `tcp:${wan}:8080`]));
    await until('two flows', async () => (await kernel.gateway.flows('two')).length === 2);
    expect(net.exec('wan', ['socat', '-u', '-', `tcp:${wan}:8080`]).stderr).toContain('refused');
    for (const child of held) child.kill();
    await until('room again', async () => (await ask(net, 'wan', 'tcp', wan, 8080)) === 'lan hello');

    const sink = net.spawn('lan', [process.execPath, '-e', bulkServer, '9998', '0']);
    await new Promise((resolve) => sink.stdout?.once('data', resolve));
    const started = performance.now();
    net.must('wan', [process.execPath, '-e', bulkClient, wan, '8088', '2000000']);
    const seconds = (performance.now() - started) / 1000;
    // the kernel's bucket holds one second's worth and the burst
    expect(seconds).toBeGreaterThan((2_000_000 - 1_131_072) / 1_000_000);
  });

  test('flows with their bytes; a killed one is cut, and stays cut', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([rule('web', 8080, 80)]);
    const held = net.spawn('wan', ['socat', '-', `tcp:${wan}:8080`]);
    let got = '';
    held.stdout?.on('data', (chunk) => {
      got += chunk;
    });
    held.stdin?.write('ping');
    await until('an answer', () => got === 'lan ping');
    const flow = await until('the flow', async () =>
      (await kernel.gateway.flows('web')).find((one) => one.tx === 4 && one.rx === 8),
    );
    expect(flow).toMatchObject({ forward: 'web', target: '192.168.77.10:80', local: `${wan}:8080`, proto: 'tcp' });
    expect(flow.peer).toMatch(/^80\.100\.100\.2:\d+$/);
    expect((await kernel.gateway.counters()).get('web')?.flows).toBe(1);
    expect(await kernel.gateway.kill('nf-1')).toBe(false);
    expect(await kernel.gateway.kill(flow.id)).toBe(true);
    held.stdin?.write('more');
    await until('the client to be reset', () => held.exitCode !== null);
    expect(got).toBe('lan ping');
  });

  test('a change touches what changes: running flows and counters of the rest stay', async () => {
    kernel = kernelGateway(net);
    const web = rule('web', 8080, 80);
    await kernel.gateway.sync([web]);
    const held = net.spawn('wan', ['socat', '-', `tcp:${wan}:8080`]);
    let got = '';
    held.stdout?.on('data', (chunk) => {
      got += chunk;
    });
    held.stdin?.write('one');
    await until('an answer', () => got === 'lan one');
    const before = (await kernel.gateway.counters()).get('web');
    await kernel.gateway.sync([
      { ...web, internal: { address: '192.168.77.11', first: 80 } },
      rule('more', 8081, 80, { allow: ['0.0.0.0/0'], maxFlows: 5, rateBytesPerSecond: 1_000_000_000 }),
    ]);
    expect((await kernel.gateway.counters()).get('web')).toMatchObject({ tx: before?.tx, rx: before?.rx });
    held.stdin?.write('two');
    await until('the old flow to go on', () => got === 'lan onetwo');
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan2 hello');
    expect(await ask(net, 'wan', 'tcp', wan, 8081)).toBe('lan hello');
    await kernel.gateway.sync([rule('more', 8081, 80)]);
    held.stdin?.write('three');
    await until('the flow to end with its mapping', () => held.exitCode !== null);
    expect(kernel.statuses.get('web')).toEqual({ is: 'closed' });
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBeNull();
    expect(await ask(net, 'wan', 'tcp', wan, 8081)).toBe('lan hello');
  });

  test('a UDP client that is sending already is mapped when the mapping comes, and cut when it goes', async () => {
    kernel = kernelGateway(net);
    await echoServer(net, 'gateway', 'udp', 8080);
    const client = net.spawn('wan', [process.execPath, '-e', steadyUdp, wan, '8080']);
    let last = '';
    client.stdout?.on('data', (chunk) => {
      last = String(chunk);
    });
    await until('the answer of the gateway itself', () => last.includes('gateway'));
    await kernel.gateway.sync([rule('dns', 8080, 80, { proto: 'udp' })]);
    await until('answers of the target', () => last.includes('lan'));
    await kernel.gateway.sync([]);
    await until('the gateway again', () => last.includes('gateway'));
    client.kill();
  });

  test("another program's table stays byte for byte; nothing of ours is left at the end", async () => {
    nft(
      'add table ip theirs { chain c { type filter hook forward priority 0; policy accept; ip daddr 192.168.77.10 tcp dport 80 counter; }; }',
    );
    nft('flush chain ip theirs c');
    nft('add rule ip theirs c tcp dport 80 accept');
    const theirs = nft('list', 'table', 'ip', 'theirs');
    kernel = kernelGateway(net);
    await kernel.gateway.sync([rule('web', 8080, 80)]);
    expect(nft('list', 'table', 'ip', 'theirs')).toBe(theirs);
    const other = kernelGateway(net, { instance: 'second home' });
    await other.gateway.sync([rule('web', 8085, 80)]);
    expect(await ask(net, 'wan', 'tcp', wan, 8085)).toBe('lan hello');
    await kernel.gateway.clear();
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBeNull();
    expect(await ask(net, 'wan', 'tcp', wan, 8085)).toBe('lan hello');
    await kernel.gateway.uninstall();
    expect(nft('list', 'tables').trim()).toBe('table ip theirs');
    expect(nft('list', 'table', 'ip', 'theirs')).toBe(theirs);
    await other.gateway.stop();
    nft('delete', 'table', 'ip', 'theirs');
  });

  test('the next engine adopts the table with its counters and flows', async () => {
    kernel = kernelGateway(net);
    const rules = [rule('web', 8080, 80), rule('udp', 8080, 80, { proto: 'udp', allow: ['80.0.0.0/8'] })];
    await kernel.gateway.sync(rules);
    const held = net.spawn('wan', ['socat', '-', `tcp:${wan}:8080`]);
    let got = '';
    held.stdout?.on('data', (chunk) => {
      got += chunk;
    });
    held.stdin?.write('one');
    await until('an answer', () => got === 'lan one');
    await kernel.gateway.stop(); // what an engine that is killed leaves
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    const handle = nft('-a', 'list', 'tables');
    kernel = kernelGateway(net);
    await kernel.gateway.sync(rules);
    expect(nft('-a', 'list', 'tables')).toBe(handle);
    expect((await kernel.gateway.counters()).get('web')).toMatchObject({ flowsTotal: 2, tx: 8, rx: 16, flows: 1 });
    await kernel.gateway.stop();
    kernel = kernelGateway(net);
    await kernel.gateway.sync([...rules, rule('new', 8081, 80)]); // changed while no engine ran
    expect((await kernel.gateway.counters()).get('web')).toMatchObject({ flowsTotal: 2, tx: 8, rx: 16 });
    held.stdin?.write('two');
    await until('the flow to go on', () => got === 'lan onetwo');
    held.kill();
  });

  test('a foreign flush is repaired and said, totals kept', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([rule('web', 8080, 80)]);
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    expect((await kernel.gateway.counters()).get('web')?.flowsTotal).toBe(1);
    for (const line of [
      ['flush', 'ruleset'],
      ['flush', 'table', 'inet', 'sallyport_test'],
      ['flush', 'chain', 'inet', 'sallyport_test', 'translate'],
    ]) {
      kernel.notes.length = 0;
      nft(...line);
      await until('the note', () => kernel.notes.some(({ code }) => code === 'gateway_flushed'));
      expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    }
    expect((await kernel.gateway.counters()).get('web')?.flowsTotal).toBe(4);
  });

  test('IPv6: translated at the gateway, and let through and listed where addresses are routed', async () => {
    kernel = kernelGateway(net);
    const lan = addresses.lan.v6;
    await kernel.gateway.sync([
      rule('six', 8080, 80, { internal: { address: lan, first: 80 } }),
      rule('routed', 80, 80, {
        external: { address: lan, first: 80, last: 80 },
        internal: { address: lan, first: 80 },
      }),
      rule('closed', 6002, 6002, {
        external: { address: lan, first: 6002, last: 6002 },
        internal: { address: lan, first: 6002 },
        allow: ['2001:db8:ffff::/48'],
      }),
    ]);
    expect(kernel.statuses.get('six')).toMatchObject({ is: 'open', at: 'tcp/[::]:8080' });
    expect(await ask(net, 'wan', 'tcp', addresses.gatewayWan.v6, 8080)).toBe('lan hello');
    expect(await ask(net, 'lan2', 'tcp', addresses.gatewayWan.v6, 8080)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', lan, 80)).toBe('lan hello');
    expect(await ask(net, 'wan', 'tcp', lan, 6002)).toBeNull();
    const counters = await kernel.gateway.counters();
    expect(counters.get('six')).toMatchObject({ flowsTotal: 2, tx: 10, rx: 18 });
    expect(counters.get('routed')).toMatchObject({ flowsTotal: 1, tx: 5, rx: 9 });
    expect(counters.get('closed')?.refused).toBe(1);
  });

  test('a target on the gateway itself', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([
      rule('own', 9001, 9000, { internal: { address: addresses.gatewayLan.v4, first: 9000 } }),
    ]);
    expect(await ask(net, 'wan', 'tcp', wan, 9001)).toBe('gateway hello');
    expect((await kernel.gateway.counters()).get('own')).toMatchObject({ flowsTotal: 1, tx: 5, rx: 13 });
  });

  test('bad rules are refused by name, the others carry', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([
      rule('rdp', 3389, 80),
      rule('rdp-too', 3389, 80, { internal: { address: '192.168.77.11', first: 80 } }),
      rule('over', 3000, 3000, { external: { address: wan, first: 3000, last: 4000 } }),
      rule('loop', 8090, 80, { internal: { address: '127.0.0.1', first: 80 } }),
      rule('mixed', 8091, 80, { external: { address: '2001:db8:1::1', first: 8091, last: 8091 } }),
      rule('link', 8092, 80, { internal: { address: 'fe80::1', first: 80 } }),
    ]);
    expect(kernel.statuses.get('rdp-too')).toMatchObject({
      is: 'failed',
      error: { code: 'conflict', message: 'tcp 3389 overlaps rdp (tcp 3389)' },
    });
    expect(kernel.statuses.get('over')).toMatchObject({ is: 'failed', error: { code: 'conflict' } });
    expect(kernel.statuses.get('loop')).toMatchObject({ is: 'failed', error: { code: 'unsupported' } });
    expect(kernel.statuses.get('link')).toMatchObject({ is: 'failed', error: { code: 'unsupported' } });
    expect(kernel.statuses.get('mixed')).toMatchObject({ is: 'failed', error: { code: 'bad_value' } });
    expect(await ask(net, 'wan', 'tcp', wan, 3389)).toBe('lan hello');
  });

  test('forwarding that is off, and a forward chain that drops, are found and named with the line that helps', async () => {
    kernel = kernelGateway(net);
    nft('add table inet fw { chain block { type filter hook forward priority 10; policy drop; }; }');
    await kernel.gateway.sync([rule('web', 8080, 80)]);
    const line = 'nft insert rule inet fw block ct status dnat accept';
    expect(kernel.statuses.get('web')).toMatchObject({ is: 'open', notice: { hint: line } });
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBeNull();
    nft(...line.split(' ').slice(1));
    expect(await ask(net, 'wan', 'tcp', wan, 8080)).toBe('lan hello');
    await until('the notice to go', () => !('notice' in (kernel.statuses.get('web') ?? {})));
    nft('delete', 'table', 'inet', 'fw');
    net.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
    await until('the status', () => kernel.statuses.get('web')?.is === 'failed');
    expect(kernel.statuses.get('web')).toMatchObject({ error: { hint: 'sysctl -w net.ipv4.ip_forward=1' } });
    net.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await until('the status', () => kernel.statuses.get('web')?.is === 'open');
  });

  test('1000 mappings go in, change one by one and go out', async () => {
    kernel = kernelGateway(net);
    const many = Array.from({ length: 1000 }, (_, i) =>
      rule(
        `m${i}`,
        10_000 + i,
        80,
        i % 10 === 0 ? { external: { address: wan, first: 10_000 + i, last: 10_000 + i } } : {},
      ),
    );
    await kernel.gateway.sync(many);
    expect(await ask(net, 'wan', 'tcp', wan, 10_990)).toBe('lan hello');
    await kernel.gateway.sync(many.filter((_, i) => i !== 500));
    expect(await ask(net, 'wan', 'tcp', wan, 10_500)).toBeNull();
    expect(await ask(net, 'wan', 'tcp', wan, 10_999)).toBe('lan hello');
    const counters = await kernel.gateway.counters();
    expect(counters.size).toBe(999);
    expect(counters.get('m999')?.flowsTotal).toBe(1);
  });

  test('all ports of an address, but those of another mapping', async () => {
    kernel = kernelGateway(net);
    await kernel.gateway.sync([
      rule('dmz', 1, 1, {
        external: { address: null, first: 1, last: 65_535 },
        internal: { address: '192.168.77.11', first: 1 },
      }),
    ]);
    expect(await ask(net, 'wan', 'tcp', wan, 6002)).toBe('lan2 hello');
    expect((await kernel.gateway.counters()).get('dmz')).toMatchObject({ tx: 5, rx: 10 });
  });

  test('without the right it says what to do', async () => {
    const denied = kernelGateway(net, {
      prefix: [
        ...inGateway(net),
        'setpriv',
        '--reuid',
        '65534',
        '--clear-groups',
        '--inh-caps=-all',
        '--bounding-set=-all',
      ],
    });
    expect(await denied.gateway.available()).toMatchObject({
      code: 'gateway_denied',
      hint: expect.stringContaining('root'),
    });
    await denied.gateway.sync([rule('web', 8080, 80)]);
    expect(denied.statuses.get('web')).toMatchObject({ is: 'failed', error: { code: 'gateway_denied' } });
    const none = kernelGateway(net, { nft: '/nonexistent/nft', prefix: [] });
    expect(await none.gateway.available()).toMatchObject({ code: 'gateway_missing' });
    await none.gateway.sync([]);
    kernel = kernelGateway(net);
    expect(await kernel.gateway.available()).toBeNull();
  });
});

const bulkServer = `const [port, back] = process.argv.slice(1).map(Number);
  require('net').createServer((s) => { s.on('error', () => {}); s.resume(); s.write(Buffer.alloc(back)); s.on('end', () => s.end()); })
    .listen(port, () => console.log('ready'));`;
const bulkClient = `const [host, port, size] = process.argv.slice(1);
  const s = require('net').connect(+port, host, () => { s.end(Buffer.alloc(+size)); s.resume(); });
  s.on('error', (e) => { console.error(e); process.exit(1); });`;
const steadyUdp = `const [host, port] = process.argv.slice(1); const s = require('dgram').createSocket('udp4');
  s.on('message', (m) => console.log(String(m))); s.on('error', () => {}); s.bind(40000);
  setInterval(() => s.send('x', +port, host), 50);`;
