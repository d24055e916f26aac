// What mappings and triggers cost in the packet path: through a gateway in network namespaces, in one run, taken in
// turn so that a noisy moment hits all alike. Ratios count, not figures.
import type { GatewayRule } from '../../src/gateways/gateway.ts';
import type { KernelTrigger } from '../../src/gateways/nftables/kernel-triggers.ts';
import { addresses, netnsMissing, Topology } from '../support/netns.ts';
import { kernelGateway, rule } from '../support/nftables.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const port = 5201;
const rounds = 7;
const seconds = '1';
const datagramBytes = '64';

interface Contestant {
  readonly name: string;
  /** Where the client sends: straight to the LAN host, or to the gateway's mapped port. */
  readonly to: string;
  readonly rules: readonly GatewayRule[];
  readonly triggers: readonly KernelTrigger[];
}

const mapped = (['tcp', 'udp'] as const).map((proto) => rule(`bench-${proto}`, port, port, { proto }));
const others = Array.from({ length: 998 }, (_, i) => rule(`other-${i}`, 10_000 + i, 80));
/** Armed on the port the traffic uses, or beside it, as most triggers of a gateway are. */
const trigger = (i: number): KernelTrigger => ({
  name: `trigger-${i}`,
  on: [{ proto: 'udp', first: 6000 + i * 10, last: 6009 + i * 10 }],
  open: [{ proto: 'tcp', first: 20_000 + i, last: 20_000 + i }],
  idleMs: 600_000,
  second: 'first',
  from: [],
  to: [],
  bind: null,
  maxOpenMs: null,
  closeFlows: false,
  allow: [],
  deny: [],
});
const hit: KernelTrigger = { ...trigger(100), name: 'hit', on: [{ proto: 'udp', first: port, last: port }] };
const beside = Array.from({ length: 100 }, (_, i) => trigger(i));

const lan = addresses.lan.v4;
const gateway = addresses.gatewayWan.v4;

/** From the WAN side in: plain routing against mappings. */
const inward: readonly Contestant[] = [
  { name: 'routing', to: lan, rules: [], triggers: [] },
  { name: '1 mapping', to: gateway, rules: mapped, triggers: [] },
  { name: '1000 mappings', to: gateway, rules: [...mapped, ...others], triggers: [] },
];
/** From the LAN side out: triggers armed, and one that every packet refreshes. */
const outward: readonly Contestant[] = [
  { name: '0 triggers', to: addresses.wan.v4, rules: [], triggers: [] },
  { name: '1 armed', to: addresses.wan.v4, rules: [], triggers: beside.slice(0, 1) },
  { name: '100 armed', to: addresses.wan.v4, rules: [], triggers: beside },
  { name: '100, 1 in use', to: addresses.wan.v4, rules: [], triggers: [...beside.slice(1), hit] },
];

interface Report {
  readonly error?: string;
  readonly end: {
    readonly sum_received: { readonly bits_per_second: number };
    readonly sum: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

/** Datagrams a second that arrive, or Gbit/s of one TCP stream. */
async function measure(net: Topology, from: 'wan' | 'lan', to: string, kind: 'datagrams' | 'bulk'): Promise<number> {
  const udp = kind === 'datagrams' ? ['-u', '-b', '0', '-l', datagramBytes] : [];
  const report = await until(
    'iperf3',
    () => {
      const ran = net.exec(from, ['iperf3', '-J', '-c', to, '-p', String(port), '-t', seconds, ...udp]);
      const parsed = JSON.parse(ran.stdout) as Report;
      if (parsed.error !== undefined) throw new Error(parsed.error); // busy for a moment after the last client
      return parsed;
    },
    { timeoutMs: 30_000, everyMs: 300 },
  );
  if (kind === 'bulk') return report.end.sum_received.bits_per_second / 1e9;
  const { packets, lost_packets, seconds: took } = report.end.sum;
  return (packets - lost_packets) / took;
}

async function table(
  net: Topology,
  title: string,
  from: 'wan' | 'lan',
  contestants: readonly Contestant[],
): Promise<void> {
  const seen = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, to, rules, triggers } of contestants) {
      const kernel = kernelGateway(net, { watchMs: 2000 });
      await kernel.gateway.sync(rules, triggers);
      for (const kind of ['datagrams', 'bulk'] as const) {
        const key = `${name} ${kind}`;
        seen.set(key, [...(seen.get(key) ?? []), await measure(net, from, to, kind)]);
      }
      await kernel.gateway.clear();
      await kernel.gateway.stop();
    }
  }
  const head = ['packets/s', 'ratio', 'Gbit/s', 'ratio'].map((text, i) => text.padStart(i % 2 === 0 ? 12 : 8));
  console.log(`\n${title.padEnd(18)}${head.join('')}`);
  const [plain = { name: '' }] = contestants;
  for (const { name } of contestants) {
    const of = (who: string, kind: string) => seen.get(`${who} ${kind}`) ?? [];
    // against the same round's plain run: what disturbs a whole round falls out
    const ratio = (kind: string) =>
      median(of(name, kind).map((value, i) => value / (of(plain.name, kind)[i] ?? Number.NaN)))
        .toFixed(2)
        .padStart(8);
    const packets = median(of(name, 'datagrams')).toFixed(0).padStart(12);
    const bulk = median(of(name, 'bulk')).toFixed(2).padStart(12);
    console.log(`${name.padEnd(18)}${packets}${ratio('datagrams')}${bulk}${ratio('bulk')}`);
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Prints both tables: mappings against plain routing, and triggers against none. */
export async function run(): Promise<void> {
  const reason = netnsMissing() || missing('nft', 'conntrack');
  if (reason !== false) throw new Error(`the bench ${reason}`);
  const net = Topology.create();
  try {
    net.ip('wan', 'route', 'add', '192.168.77.0/24', 'via', gateway);
    net.spawn('lan', ['iperf3', '-s', '-p', String(port)], { stdio: 'ignore' });
    net.spawn('wan', ['iperf3', '-s', '-p', String(port)], { stdio: 'ignore' });
    // connections are tracked in every case, as on any gateway with NAT
    net.must('gateway', [
      'nft',
      'add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }',
    ]);
    console.log(`UDP with ${datagramBytes} bytes and one TCP stream, ${seconds} s each, median of ${rounds} rounds`);
    await table(net, 'inward', 'wan', inward);
    await table(net, 'outward', 'lan', outward);
  } finally {
    await net.close();
  }
}
