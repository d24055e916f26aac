// A real dropbear on a port of its own, with throw-away keys. Needs root.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort } from './ports.ts';
import { findTool } from './tools.ts';
import { until } from './until.ts';

export interface Dropbear {
  readonly dir: string;
  readonly port: number;
  /** A private key the server accepts. */
  readonly key: string;
  stop(): Promise<void>;
}

export async function startDropbear(): Promise<Dropbear> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'dropbear-'));
  const port = await freePort();
  const key = path.join(dir, 'id');
  execFileSync('dropbearkey', ['-t', 'ed25519', '-f', path.join(dir, 'host')], { stdio: 'ignore' });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  mkdirSync(path.join(dir, '.ssh'), { mode: 0o700 });
  writeFileSync(path.join(dir, '.ssh', 'authorized_keys'), readFileSync(`${key}.pub`), { mode: 0o600 });
  // It reads only the home's authorized_keys: a mount namespace gives it a home of its own, and leaves ours alone.
  const command = 'mount --bind "$0" "$1" && exec "$2" -F -E -r "$0/host" -p "127.0.0.1:$3" -P "$0/pid"';
  const args = [dir, os.userInfo().homedir, findTool('dropbear') as string, String(port)];
  const child: ChildProcess = spawn('unshare', ['-m', 'sh', '-c', command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  await until('dropbear', () => {
    if (child.exitCode !== null) throw new Error(`dropbear ended: ${log}`);
    return new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  });
  return {
    dir,
    port,
    key,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill();
        await once(child, 'exit');
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
