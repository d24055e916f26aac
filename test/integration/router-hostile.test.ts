// Routers that are odd, broken or hostile: the real protocols, spoken wrongly on purpose.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FakeRouterOptions } from '../support/fake-router.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { RouterClient, rule } from '../support/router-client.ts';
import { until } from '../support/until.ts';

const unable = netnsMissing();

describe.skipIf(unable)(`odd routers${unable ? ` (${unable})` : ''}`, () => {
  let net: Topology;
  let dir: string;
  let fake: ChildProcess;
  let said = '';
  let client: RouterClient;

  beforeAll(() => {
    net = Topology.create();
  });
  afterAll(() => net?.close());
  beforeEach(() => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'router-'));
  });
  afterEach(async () => {
    await client?.kill();
    if (fake !== undefined) {
      const gone = new Promise((resolve) => fake.once('exit', resolve));
      fake.kill('SIGKILL');
      await gone;
    }
    rmSync(dir, { recursive: true, force: true });
  });

  async function run(options: Omit<FakeRouterOptions, 'address'>): Promise<void> {
    const script = path.join(import.meta.dirname, '..', 'support', 'fake-router.ts');
    said = '';
    const argument = JSON.stringify({ address: addresses.gatewayLan.v4, ...options });
    fake = net.spawn('gateway', [process.execPath, script, argument]);
    fake.stdout?.on('data', (chunk) => {
      said += chunk;
    });
    await until('the router to be ready', () => said.includes('ready'));
    client = await RouterClient.start(net, 'lan', { stateFile: path.join(dir, 'leases.json') });
  }

  test('one that speaks NAT-PMP only is asked in that', async () => {
    await run({});
    await client.sync(rule('web', 18080, 8080));
    await client.reaches('web', 'open');
    expect(client.notes[0]?.message).toContain('over nat-pmp');
  });

  test('one that grants another port is told to take it back', async () => {
    await run({ pcpResult: 0, portShift: 1 });
    await client.sync(rule('web', 18080, 8080));
    expect((await client.reaches('web', 'failed')).error.code).toBe('gateway_port_taken');
    expect(said).toContain('map 18080 3600\nmap 0 0\n');
    expect(JSON.parse(readFileSync(path.join(dir, 'leases.json'), 'utf8')).leases).toEqual([]);
  });

  test.each([
    [2, 'failed', 'gateway_refused'],
    [11, 'failed', 'gateway_port_taken'],
    [12, 'failed', 'gateway_refused'],
    [8, 'retrying', 'gateway_failed'],
    [99, 'retrying', 'gateway_failed'],
  ] as const)('PCP result %i means %s, %s', async (pcpResult, is, code) => {
    await run({ pcpResult });
    await client.sync(rule('web', 18080, 8080));
    expect((await client.reaches('web', is)).error.code).toBe(code);
  });

  test.each(['100.64.7.7', '192.168.1.20'])('an external address of %s is warned of', async (externalAddress) => {
    await run({ pcpResult: 0, externalAddress });
    await client.sync(rule('web', 18080, 8080));
    const status = await client.reaches('web', 'open');
    expect(status.notice).toMatchObject({ code: 'double_nat', message: expect.stringContaining(externalAddress) });
    expect((await client.report()).warning).toContain(externalAddress);
  });

  test('one that knows permanent leases only: mapped, said so, and deleted after a crash', async () => {
    await run({ udp: false, upnp: 'permanent' });
    await client.sync(rule('web', 18080, 8080));
    expect((await client.reaches('web', 'open')).notice?.code).toBe('lease_permanent');
    expect(said).toContain('add TCP 18080 3600\nadd TCP 18080 0\n');
    await client.kill();
    client = await RouterClient.start(net, 'lan', { stateFile: path.join(dir, 'leases.json') });
    await client.sync();
    expect(said).toContain('delete TCP 18080');
    expect(client.noted('router_leftover')).toBe(1);
  });

  test.each(['redirect', 'huge', 'elsewhere', 'bomb'] as const)('%s: it is no router for us', async (upnp) => {
    await run({ udp: false, upnp });
    await client.sync(rule('web', 18080, 8080));
    expect((await client.reaches('web', 'retrying')).error.code).toBe('gateway_missing');
    if (upnp === 'elsewhere') expect(said).not.toContain('described');
    else expect(said).toContain('described');
    if (upnp === 'huge') {
      await until('the download to be cut', () => said.includes('sent '));
      expect(Number(/sent (\d+)/.exec(said)?.[1])).toBeLessThan(32 * 1024 * 1024);
    }
  });

  test('one that accepts connections and says nothing does not hold us up for long', async () => {
    await run({ udp: false, upnp: 'silent' });
    await client.sync(rule('web', 18080, 8080));
    expect((await client.reaches('web', 'retrying')).error.code).toBe('gateway_missing');
    await client.stop();
  });

  test('an endless list ends, and its control characters stay out', async () => {
    await run({ udp: false, upnp: 'endless' });
    const { mappings } = await client.report();
    expect(mappings.length).toBeGreaterThan(100);
    expect(mappings.length).toBeLessThanOrEqual(1024);
    expect(mappings[0]?.internal).toBe('[2J:7');
  });

  test('the nonce is on file before the request goes out, and stays there when that is cut off', async () => {
    await run({ pcpResult: 0, mute: true });
    const done = client.sync(rule('web', 18080, 8080));
    await until('the request to arrive', () => said.includes('map 18080'));
    const leases = () => JSON.parse(readFileSync(path.join(dir, 'leases.json'), 'utf8')).leases;
    expect(leases()).toMatchObject([{ key: 'tcp/18080', protocol: 'pcp' }]);
    await client.stop();
    await done;
    expect(leases()).toHaveLength(1);
  });
});
