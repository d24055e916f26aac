// A real OpenSSH server on a port of its own, with throw-away keys.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort } from './ports.ts';
import { findTool } from './tools.ts';
import { until } from './until.ts';

export interface SshdOptions {
  /** More lines of sshd_config(5); the first of a keyword wins there, so these come first. */
  readonly config?: readonly string[];
  readonly port?: number;
  /** Where it listens; 127.0.0.1 unless said. */
  readonly address?: string;
  /** Whether the user's key is in authorized_keys. */
  readonly authorized?: boolean;
}

export class Sshd {
  readonly dir: string;
  readonly port: number;
  /** A private key the server accepts. */
  readonly key: string;
  readonly hostKey: string;
  readonly knownHosts: string;
  /** An ssh_config with `Host box`, for `-F`. */
  readonly clientConfig: string;
  private readonly address: string;
  private child: ChildProcess | null = null;
  /** What the server logged. */
  log = '';

  private constructor(dir: string, port: number, address: string) {
    this.dir = dir;
    this.address = address;
    this.port = port;
    this.key = path.join(dir, 'id_ed25519');
    this.hostKey = path.join(dir, 'host_ed25519');
    this.knownHosts = path.join(dir, 'known_hosts');
    this.clientConfig = path.join(dir, 'ssh_config');
  }

  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'sshd-'));
    const sshd = new Sshd(dir, options.port ?? (await freePort()), options.address ?? '127.0.0.1');
    for (const file of [sshd.key, sshd.hostKey]) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
    }
    const authorized = path.join(dir, 'authorized_keys');
    writeFileSync(authorized, options.authorized === false ? '' : readFileSync(`${sshd.key}.pub`), { mode: 0o600 });
    writeFileSync(
      path.join(dir, 'sshd_config'),
      [
        ...(options.config ?? []),
        `Port ${sshd.port}`,
        `ListenAddress ${sshd.address}`,
        `HostKey ${sshd.hostKey}`,
        `AuthorizedKeysFile ${authorized}`,
        `PidFile ${dir}/pid`,
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'PermitRootLogin yes',
        'AllowTcpForwarding yes',
        'AllowStreamLocalForwarding yes',
        'Subsystem sftp internal-sftp',
        'LogLevel VERBOSE',
        'MaxStartups 100',
        '',
      ].join('\n'),
    );
    sshd.trustHostKey();
    writeFileSync(
      sshd.clientConfig,
      [
        'Host box',
        `  HostName ${sshd.address}`,
        `  Port ${sshd.port}`,
        `  User ${os.userInfo().username}`,
        `  IdentityFile ${sshd.key}`,
        '  IdentitiesOnly yes',
        `  UserKnownHostsFile ${sshd.knownHosts}`,
        '  GlobalKnownHostsFile none',
        '  StrictHostKeyChecking yes',
        '',
      ].join('\n'),
      { mode: 0o600 },
    );
    await sshd.run();
    return sshd;
  }

  /** Writes known_hosts with the server's present key. */
  trustHostKey(): void {
    const [type, key] = readFileSync(`${this.hostKey}.pub`, 'utf8').split(' ');
    writeFileSync(this.knownHosts, `[${this.address}]:${this.port} ${type} ${key}\n`, { mode: 0o600 });
  }

  /** Gives the server another host key; takes effect at the next start. */
  changeHostKey(): void {
    rmSync(this.hostKey);
    rmSync(`${this.hostKey}.pub`);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'changed', '-f', this.hostKey]);
  }

  /** Starts the server again after `kill`. */
  async run(): Promise<void> {
    mkdirSync('/run/sshd', { recursive: true });
    const binary = findTool('sshd');
    if (binary === null) throw new Error('no sshd on this machine');
    this.child = spawn(binary, ['-D', '-e', '-f', path.join(this.dir, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child.stderr?.on('data', (chunk) => {
      this.log += chunk;
    });
    await until(`sshd on port ${this.port}`, () => {
      if (this.child?.exitCode !== null) throw new Error(`sshd ended: ${this.log}`);
      return new Promise<boolean>((resolve) => {
        const socket = net.connect(this.port, this.address);
        socket.once('data', () => resolve(true)).once('error', () => resolve(false));
        socket.once('data', () => socket.destroy());
      });
    });
  }

  /** Processes of the sessions it has. */
  sessions(): number[] {
    return this.child?.pid === undefined ? [] : descendants(this.child.pid);
  }

  /** Kills the server and every session of it, without a word to the clients. */
  async kill(): Promise<void> {
    const child = this.child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    for (const pid of descendants(child.pid as number)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Processes below `pid`, deepest last. */
function descendants(pid: number): number[] {
  let children: number[] = [];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {}
  return children.flatMap((child) => [child, ...descendants(child)]);
}
