// Programs the tests drive for real, and the Debian package each comes from.
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

export const tools = {
  ssh: { package: 'openssh-client' },
  sshd: { package: 'openssh-server' },
  dropbear: { package: 'dropbear-bin' },
  curl: { package: 'curl' },
  ip: { package: 'iproute2' },
  nft: { package: 'nftables' },
  conntrack: { package: 'conntrack' },
  miniupnpd: { package: 'miniupnpd' },
  tmux: { package: 'tmux' },
  socat: { package: 'socat' },
  faketime: { package: 'faketime' },
  zsh: { package: 'zsh' },
} as const;

export type Tool = keyof typeof tools;

const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** Absolute path of a program, or null. Debian keeps servers in sbin, which a user's PATH leaves out. */
export function findTool(name: string): string | null {
  for (const folder of folders) {
    const file = `${folder}/${name}`;
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return null;
}

/** Why a test that needs these tools cannot run here, or false. With CI=true the set-up has made sure of them. */
export function missing(...names: Tool[]): string | false {
  const absent = names.filter((name) => findTool(name) === null);
  return absent.length === 0 ? false : `needs ${absent.map((name) => tools[name].package).join(', ')}`;
}

/** Installs what is missing, where that is allowed: root, and apt-get. */
export function installTools(): void {
  const wanted = Object.values(tools)
    .map((tool) => tool.package)
    .filter((_, i) => findTool(Object.keys(tools)[i] as string) === null);
  if (wanted.length === 0) return;
  if (process.getuid?.() === 0 && findTool('apt-get') !== null) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    try {
      execFileSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore' });
      execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...wanted], { env, stdio: 'ignore' });
    } catch (cause) {
      if (process.env.CI) throw new Error(`could not install ${wanted.join(' ')}`, { cause });
    }
  }
  const still = Object.keys(tools).filter((name) => findTool(name) === null);
  if (still.length > 0 && process.env.CI) throw new Error(`tests need ${still.join(', ')}, and could not install them`);
}
