// A real router daemon on the gateway of a topology.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { addresses, type Topology } from './netns.ts';
import { findTool } from './tools.ts';
import { until } from './until.ts';

export interface MiniupnpdOptions {
  /** PCP and NAT-PMP; on unless said. */
  readonly natpmp?: boolean;
  /** UPnP-IGD; on unless said. */
  readonly upnp?: boolean;
  /** Describes itself as IGD 1. */
  readonly igd1?: boolean;
  /** Only who holds a mapping may delete it; on unless said. */
  readonly secure?: boolean;
  /** More lines of miniupnpd.conf. */
  readonly config?: readonly string[];
}

const tables = `
table inet filter {
  chain forward { type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "br0" accept
    jump miniupnpd
  }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 100; policy accept;
    meta nfproto ipv4 oifname "wan0" masquerade
    jump postrouting_miniupnpd
  }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}`;

export class Miniupnpd {
  private readonly net: Topology;
  private readonly dir: string;
  private child: ChildProcess | null = null;
  startedMs = 0;
  /** What the daemon logged. */
  log = '';

  private constructor(net: Topology) {
    this.net = net;
    this.dir = mkdtempSync(path.join(os.tmpdir(), 'miniupnpd-'));
  }

  /** The WAN side is cut off from the LAN but for what the daemon maps. Leases may be as short as 2 s. */
  static async start(net: Topology, options: MiniupnpdOptions = {}): Promise<Miniupnpd> {
    const router = new Miniupnpd(net);
    const yes = (on: boolean) => (on ? 'yes' : 'no');
    const lines = [
      'ext_ifname=wan0',
      'listening_ip=br0',
      'http_port=5555',
      `enable_natpmp=${yes(options.natpmp ?? true)}`,
      `enable_upnp=${yes(options.upnp ?? true)}`,
      `force_igd_desc_v1=${yes(options.igd1 ?? false)}`,
      'min_lifetime=2',
      'max_lifetime=86400',
      `secure_mode=${yes(options.secure ?? true)}`,
      'system_uptime=no',
      'notify_interval=30',
      `uuid=00000000-0000-0000-0000-${String(process.pid).padStart(12, '0')}`,
      'upnp_table_name=filter',
      'upnp_nat_table_name=filter',
      ...(options.config ?? []),
      'allow 1024-65535 192.168.77.0/24 1-65535',
      'deny 0-65535 0.0.0.0/0 0-65535',
    ];
    writeFileSync(path.join(router.dir, 'miniupnpd.conf'), `${lines.join('\n')}\n`);
    try {
      await router.run();
    } catch (error) {
      await router.stop();
      throw error;
    }
    return router;
  }

  /** Starts it, with an empty packet filter: as after a power cut, nothing mapped is left. */
  async run(): Promise<void> {
    this.net.must('gateway', ['nft', '-f', '-'], `flush ruleset\n${tables}`);
    const binary = findTool('miniupnpd');
    if (binary === null) throw new Error('no miniupnpd on this machine');
    const pidFile = path.join(this.dir, 'pid');
    const child = this.net.spawn('gateway', [binary, '-d', '-f', path.join(this.dir, 'miniupnpd.conf'), '-P', pidFile]);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.log += chunk;
      });
    }
    this.child = child;
    this.startedMs = Date.now();
    await until('miniupnpd to listen', () => {
      if (child.exitCode !== null) throw new Error(`miniupnpd ended: ${this.log}`);
      const sockets = this.net.must('gateway', ['ss', '-lntuH']);
      return /:(5351|5555)\s/.test(sockets);
    });
  }

  /** Power cut: no goodbye. */
  async kill(): Promise<void> {
    const child = this.child;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Ports of the router that lead inside, as the packet filter has them: `tcp/18080`. */
  mapped(): string[] {
    const ruleset = this.net.must('gateway', ['nft', 'list', 'chain', 'inet', 'filter', 'prerouting_miniupnpd']);
    const names: Record<string, string> = { tcp: 'tcp', udp: 'udp', '0x6': 'tcp', '0x11': 'udp' };
    return [...ruleset.matchAll(/(tcp|udp|0x6|0x11) (?:th )?dport (\d+) dnat/g)].map(
      ([, proto = '', port]) => `${names[proto]}/${port}`,
    );
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Maps a port to a LAN host over UPnP, as another program on that host would. */
export function mapByHand(net: Topology, host: 'lan' | 'lan2', proto: 'tcp' | 'udp', external: number, port: number) {
  const program = `
    const [url, from, proto, external, port] = process.argv.slice(1);
    const arg = (name, value) => '<' + name + '>' + value + '</' + name + '>';
    const type = 'urn:schemas-upnp-org:service:WANIPConnection:1';
    const body = '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:AddPortMapping xmlns:u="' + type + '">'
      + arg('NewRemoteHost', '') + arg('NewExternalPort', external) + arg('NewProtocol', proto.toUpperCase())
      + arg('NewInternalPort', port) + arg('NewInternalClient', from) + arg('NewEnabled', 1)
      + arg('NewPortMappingDescription', 'game') + arg('NewLeaseDuration', 3600)
      + '</u:AddPortMapping></s:Body></s:Envelope>';
    fetch(url, { method: 'POST', headers: { soapaction: '"' + type + '#AddPortMapping"' }, body })
      .then(async (r) => { if (!r.ok) { console.error(await r.text()); process.exit(1); } });`;
  const url = `http://${addresses.gatewayLan.v4}:5555/ctl/IPConn`;
  net.must(host, [process.execPath, '-e', program, url, addresses[host].v4, proto, String(external), String(port)]);
}
