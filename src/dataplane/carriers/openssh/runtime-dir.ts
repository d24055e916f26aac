// A private folder for one control master: its control socket, the sockets of its forwards, and the socket its
// questions come in by. Whoever listens on that last one owns the folder; a folder nobody listens for is a leftover.
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const prefix = 'sallyport-ssh-';
/** sun_path has 104 bytes on some systems; ssh appends 17 to a control socket's name while it makes it. */
const longestBase = 104 - `/${prefix}XXXXXX/ctl`.length - 17;
/** A younger folder without that socket may belong to somebody who has yet to listen. */
const settledMs = 10_000;

export const runtimeFiles = { questions: 'ask', control: 'ctl' } as const;

function base(env: NodeJS.ProcessEnv): string {
  const wanted = env.XDG_RUNTIME_DIR ?? os.tmpdir();
  return wanted.startsWith('/') && Buffer.byteLength(wanted) <= longestBase ? wanted : '/tmp';
}

/** Makes a folder of mode 0700. */
export async function createRuntimeDir(env = process.env): Promise<string> {
  const dir = await mkdtemp(path.join(base(env), prefix)).catch(() => mkdtemp(path.join('/tmp', prefix)));
  await chmod(dir, 0o700);
  return dir;
}

/** Ends the control masters of engines that were killed, and removes their folders. Never fails. */
export async function sweepRuntimeDirs(ssh: string, env = process.env): Promise<void> {
  const bases = [...new Set([base(env), '/tmp'])];
  for (const folder of bases) {
    const names = await readdir(folder).catch(() => []);
    const ours = names.filter((name) => name.startsWith(prefix)).map((name) => path.join(folder, name));
    await Promise.all(ours.map((dir) => sweep(dir, ssh).catch(() => {})));
  }
}

async function sweep(dir: string, ssh: string): Promise<void> {
  const { uid, mtimeMs } = await stat(dir);
  if (uid !== process.getuid?.()) return;
  const owner = await ownerOf(path.join(dir, runtimeFiles.questions));
  if (owner === 'alive' || (owner === 'unknown' && Date.now() - mtimeMs < settledMs)) return;
  await new Promise<void>((resolve) => {
    const control = path.join(dir, runtimeFiles.control);
    const child = execFile(ssh, ['-F', 'none', '-S', control, '-O', 'exit', 'x'], { timeout: 3000 }, () => resolve());
    child.stdin?.on('error', () => {});
  });
  await rm(dir, { recursive: true, force: true });
}

function ownerOf(socketPath: string): Promise<'alive' | 'gone' | 'unknown'> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'gone' : 'unknown'));
  });
}
