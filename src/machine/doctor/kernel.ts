import { bad, type Check, fine, optional, type Surroundings } from './check.ts';

const netAdmin = 12n;

/** Whether this process may change the kernel's networking: CAP_NET_ADMIN in the effective set, see capabilities(7). */
export function hasNetAdmin(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> netAdmin) & 1n) === 1n;
}

export async function nftables({ firstLine, text }: Surroundings): Promise<Check> {
  const version = await firstLine('nft', ['--version']);
  if (version === null) {
    return optional('nftables', 'no nft on this machine', 'install nftables for mappings and triggers in the kernel');
  }
  return hasNetAdmin((await text('/proc/self/status')) ?? '')
    ? fine('nftables', `${version}, with the right to use it`)
    : optional(
        'nftables',
        `${version}, without the right to use it`,
        'kernel mappings need CAP_NET_ADMIN: run the engine as root, or give its service AmbientCapabilities=CAP_NET_ADMIN',
      );
}

export async function conntrack({ firstLine }: Surroundings): Promise<Check> {
  const version = await firstLine('conntrack', ['--version']);
  return version === null
    ? optional(
        'conntrack',
        'no conntrack on this machine',
        'install conntrack: flows of kernel mappings are listed with it',
      )
    : fine('conntrack', version);
}

/** One switch under /proc/sys: what it should be for kernel mappings, and what it means when it is not. */
async function sysctl(
  { text }: Surroundings,
  check: string,
  name: string,
  wanted: string,
  { absent, otherwise }: { absent: Check; otherwise: string },
): Promise<Check> {
  const value = (await text(`/proc/sys/${name.replaceAll('.', '/')}`))?.trim();
  if (value === undefined) return absent;
  return value === wanted
    ? fine(check, `${name} is ${value}`)
    : optional(check, `${name} is ${value}: ${otherwise}`, `sysctl -w ${name}=${wanted}`);
}

export const ipForward = (around: Surroundings): Promise<Check> =>
  sysctl(around, 'forwarding', 'net.ipv4.ip_forward', '1', {
    absent: optional('forwarding', 'net.ipv4.ip_forward cannot be read'),
    otherwise: 'this machine routes nothing, so kernel mappings reach no other machine',
  });

export const conntrackAccounting = (around: Surroundings): Promise<Check> =>
  sysctl(around, 'accounting', 'net.netfilter.nf_conntrack_acct', '1', {
    absent: optional('accounting', 'connection tracking is not loaded; the first kernel mapping loads it'),
    otherwise: 'the kernel does not count the bytes of single flows',
  });

export const bridgeNetfilter = (around: Surroundings): Promise<Check> =>
  sysctl(around, 'bridge', 'net.bridge.bridge-nf-call-iptables', '0', {
    absent: fine('bridge', 'bridged packets are left alone'),
    otherwise: 'bridged packets pass the firewall, which breaks hairpin mappings over a bridge',
  });

const enoughFiles = 4096;

/** File descriptors: a flow takes two. Node raises the soft limit to the hard one. */
export async function fileLimit({ text }: Surroundings): Promise<Check> {
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec((await text('/proc/self/limits')) ?? '') ?? [];
  if (soft === undefined || hard === undefined)
    return optional('descriptors', 'the limit of open files cannot be read');
  const limit = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  const detail = soft === hard ? `${soft} open files` : `${soft} open files, at most ${hard}`;
  return limit >= enoughFiles
    ? fine('descriptors', detail)
    : bad(
        'descriptors',
        `${detail}: enough for ${Math.floor(limit / 2)} flows`,
        'raise it: ulimit -n, or LimitNOFILE= of the service',
      );
}
