// What the audit says of ports behind the machine's own packet filter, next to what really gets in.
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRow } from '../../src/model/reports.ts';
import { Program } from '../support/net-program.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { ask, echoServer } from '../support/netns-traffic.ts';
import { missing } from '../support/tools.ts';

const unable = netnsMissing() || missing('nft');
const { v4: wan, v6: wan6 } = addresses.gatewayWan;
const { v4: inside } = addresses.gatewayLan;

const rules = `table inet fw {
  set admins { type ipv4_addr; flags interval; elements = { 192.168.0.0/16 } }
  chain services {
    tcp dport vmap { 8003 : accept, 8004 : drop }
  }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    ip saddr @admins tcp dport { 8002, 8080 } accept
    iifname br0 meta nfproto ipv4 tcp dport 8005 accept
    jump services
    reject with icmpx admin-prohibited
  }
}
`;

describe.skipIf(unable)(`the audit behind a packet filter${unable ? ` (${unable})` : ''}`, { timeout: 90_000 }, () => {
  let net: Topology;
  let program: Program;

  beforeAll(async () => {
    net = Topology.create();
    program = new Program(net, 'gateway');
    for (const port of [8001, 8002, 8003, 8004, 8005]) await echoServer(net, 'gateway', 'tcp', port);
  });
  afterEach(async () => {
    net.must('gateway', ['nft', 'flush', 'ruleset']);
    await program.clear();
  });
  afterAll(async () => {
    await program?.close();
    await net?.close();
  });

  async function audit(...words: string[]): Promise<{ code: number | null; row: (port: number) => AuditRow }> {
    const ran = await program.run('audit', '--json', ...words);
    const rows = JSON.parse(ran.stdout) as AuditRow[];
    return { code: ran.code, row: (port) => rows.find((row) => row.port === port) as AuditRow };
  }

  /** Who is answered: from outside by both families, and from inside. */
  const answered = async (port: number) =>
    (
      await Promise.all([
        ask(net, 'wan', 'tcp', wan, port),
        ask(net, 'wan', 'tcp', wan6, port),
        ask(net, 'lan', 'tcp', inside, port),
      ])
    ).map((answer) => answer !== null);

  test('says of each port what really gets in to it', async () => {
    expect((await audit()).row(8001)).toMatchObject({ reach: 'world', layer: 'address' });
    net.must('gateway', ['nft', '-f', '-'], rules);
    const { code, row } = await audit();
    expect(code).toBe(5);
    for (const port of [8001, 8004]) {
      expect(row(port)).toMatchObject({ address: '::', reach: 'host', layer: 'firewall', finding: null });
      expect(await answered(port)).toEqual([false, false, false]);
    }
    for (const port of [8002, 8005]) {
      const finding = { level: 'low', code: 'unmanaged_lan' };
      expect(row(port)).toMatchObject({ reach: 'lan', layer: 'firewall', finding });
      expect(await answered(port)).toEqual([false, false, true]);
    }
    expect(row(8003)).toMatchObject({ reach: 'world', layer: 'address', finding: { code: 'unmanaged_world' } });
    expect(await answered(8003)).toEqual([true, true, true]);
  });

  test('ends with 0 when nothing gets in that should not', async () => {
    net.must('gateway', ['nft', '-f', '-'], rules.replace('8003 : accept', '8003 : drop'));
    const loose = net.spawn('gateway', ['socat', '-d', '-d', 'tcp4-listen:6379,fork', 'pipe']);
    if (loose.stderr !== null) await once(loose.stderr, 'data');
    expect((await program.run('map', 'web', '8080', '192.168.77.10:80', '--bind', '*', '--up')).code).toBe(0);
    const { code, row } = await audit();
    expect(code).toBe(0);
    expect(row(6379)).toMatchObject({ address: '0.0.0.0', reach: 'host', layer: 'firewall', finding: null });
    expect(row(8080)).toMatchObject({ owner: 'web', reach: 'lan', layer: 'firewall', finding: null });
    expect((await audit('--level', 'low')).code).toBe(5);
    const told = (await program.run('audit')).stdout;
    expect(told).toMatch(/\n\nthe firewall keeps \d+ from everybody outside, \d+ from all but local networks\n$/);
    loose.kill('SIGKILL');
  });

  test('is not misled by our own table, which keeps nothing from programs', async () => {
    await echoServer(net, 'lan', 'tcp', 80);
    await program.run('map', 'web', '9000', '192.168.77.10:80', '--via', 'nftables', '--up');
    const { row } = await audit();
    expect(row(8001)).toMatchObject({ reach: 'world', layer: 'address' });
    expect(row(9000)).toMatchObject({ reach: 'world', layer: 'nftables' });
  });

  test('does not call a port closed that another one is led to', async () => {
    const led = rules.replace('jump services', 'ct status dnat accept');
    net.must('gateway', ['nft', '-f', '-'], led);
    expect((await audit()).row(8001)).toMatchObject({ reach: 'host', layer: 'firewall' });
    const nat =
      'table ip nat { chain pre { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :8001; }; }\n';
    net.must('gateway', ['nft', '-f', '-'], nat);
    expect((await audit()).row(8001)).toMatchObject({ reach: 'world', layer: 'address' });
    expect((await audit()).row(8004)).toMatchObject({ reach: 'host', layer: 'firewall' });
    expect(await ask(net, 'wan', 'tcp', wan, 80)).toBe('gateway hello');
  });

  test('nor one that is led on to another machine before the filter sees it', async () => {
    await echoServer(net, 'lan', 'tcp', 8001);
    const nat = `table ip nat {
      chain pre {
        type nat hook prerouting priority dstnat;
        tcp dport 8004 dnat to ${addresses.lan.v4}:8001
      }
    }`;
    net.must('gateway', ['nft', '-f', '-'], rules + nat);
    expect(await ask(net, 'wan', 'tcp', wan, 8004)).toBe('lan hello');
    const { row } = await audit();
    expect(row(8004)).toMatchObject({ reach: 'world', layer: 'address', finding: { code: 'unmanaged_world' } });
    expect(row(8001)).toMatchObject({ reach: 'host', layer: 'firewall' });
  });
});
