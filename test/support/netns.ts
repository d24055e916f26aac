// A small internet in network namespaces: one WAN client, a gateway, two LAN hosts behind a bridge.
//
//   wan 80.100.100.2 ──── wan0 80.100.100.1  gateway  br0 192.168.77.1 ──┬── lan  192.168.77.10
//       2001:db8:1::2          2001:db8:1::1              2001:db8:2::1  └── lan2 192.168.77.11
//                                                        lan 2001:db8:2::10, lan2 2001:db8:2::11
import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { missing } from './tools.ts';

export type NetHost = 'wan' | 'gateway' | 'lan' | 'lan2';

const hosts: readonly NetHost[] = ['wan', 'gateway', 'lan', 'lan2'];

export const addresses = {
  wan: { v4: '80.100.100.2', v6: '2001:db8:1::2' },
  gatewayWan: { v4: '80.100.100.1', v6: '2001:db8:1::1' },
  gatewayLan: { v4: '192.168.77.1', v6: '2001:db8:2::1' },
  lan: { v4: '192.168.77.10', v6: '2001:db8:2::10' },
  lan2: { v4: '192.168.77.11', v6: '2001:db8:2::11' },
} as const;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Why no topology can be made here, or false. Being root is enough; so is a shell made with `unshare -Urnm` that has
 * a tmpfs on /run/netns.
 */
export function netnsMissing(): string | false {
  const absent = missing('ip');
  if (absent !== false) return absent;
  const probe = `sp-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  spawnSync('ip', ['netns', 'del', probe]);
  return made.status === 0 ? false : `needs network namespaces: ${made.stderr.trim()}`;
}

let made = 0;

export class Topology {
  /** Namespace names carry the process id, so that test processes never meet. */
  private readonly prefix = `sp${process.pid}x${made++}`;
  private readonly children = new Set<ChildProcess>();

  /** Builds it all; addresses are usable at once (no duplicate address detection). */
  static create(): Topology {
    const net = new Topology();
    try {
      net.build();
    } catch (error) {
      net.remove();
      throw error;
    }
    return net;
  }

  namespace(host: NetHost): string {
    return `${this.prefix}-${host}`;
  }

  /** Runs to the end, at most 20 s; a failing program is a result, not an exception. */
  exec(host: NetHost, argv: readonly string[], input = ''): Ran {
    const ran = spawnSync('ip', ['netns', 'exec', this.namespace(host), ...argv], {
      encoding: 'utf8',
      input,
      timeout: 20_000,
    });
    return { code: ran.status ?? -1, stdout: ran.stdout ?? '', stderr: ran.stderr ?? String(ran.error ?? '') };
  }

  /** As `exec`, but a failing program throws. */
  must(host: NetHost, argv: readonly string[], input = ''): string {
    const ran = this.exec(host, argv, input);
    if (ran.code !== 0) throw new Error(`${argv.join(' ')} in ${host}: exit ${ran.code}: ${ran.stderr}`);
    return ran.stdout;
  }

  /** Starts a program; `close` kills what still runs. `ip netns exec` becomes the program, so signals reach it. */
  spawn(host: NetHost, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.namespace(host), ...argv], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options,
    });
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    return child;
  }

  /** `ip` with its `-n` set to the host. */
  ip(host: NetHost, ...args: string[]): void {
    execFileSync('ip', ['-n', this.namespace(host), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  async close(): Promise<void> {
    const gone = [...this.children].map((child) => once(child, 'exit'));
    for (const child of this.children) child.kill('SIGKILL');
    await Promise.all(gone);
    this.remove();
  }

  private build(): void {
    for (const host of hosts) {
      execFileSync('ip', ['netns', 'add', this.namespace(host)]);
      this.ip(host, 'link', 'set', 'lo', 'up');
      this.must(host, ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0']);
    }
    const link = (name: string, to: NetHost) =>
      this.ip('gateway', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.namespace(to));
    const address = (host: NetHost, device: string, at: { v4: string; v6: string }) => {
      this.ip(host, 'addr', 'add', `${at.v4}/24`, 'dev', device);
      this.ip(host, 'addr', 'add', `${at.v6}/64`, 'dev', device, 'nodad');
      this.ip(host, 'link', 'set', device, 'up');
    };
    link('wan0', 'wan');
    this.ip('gateway', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    for (const [port, host] of [['l1', 'lan'] as const, ['l2', 'lan2'] as const]) {
      link(port, host);
      this.ip('gateway', 'link', 'set', port, 'master', 'br0', 'up');
    }
    address('gateway', 'wan0', addresses.gatewayWan);
    address('gateway', 'br0', addresses.gatewayLan);
    address('wan', 'eth0', addresses.wan);
    this.ip('wan', '-6', 'route', 'add', 'default', 'via', addresses.gatewayWan.v6);
    for (const host of ['lan', 'lan2'] as const) {
      address(host, 'eth0', addresses[host]);
      this.ip(host, 'route', 'add', 'default', 'via', addresses.gatewayLan.v4);
      this.ip(host, '-6', 'route', 'add', 'default', 'via', addresses.gatewayLan.v6);
    }
    // Bridged frames must not pass the packet filter a second time, or hairpin to the same host breaks.
    this.exec('gateway', ['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0']);
    this.must('gateway', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  }

  private remove(): void {
    for (const host of hosts) spawnSync('ip', ['netns', 'del', this.namespace(host)]);
  }
}
