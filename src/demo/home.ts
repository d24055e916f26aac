// A throw-away home: made in the folder for temporary files, gone however the demo ends.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Client } from '../client/client.ts';
import { connect } from '../client/connect.ts';
import { SallyportError } from '../model/errors.ts';
import { findHome, type Home } from '../model/home.ts';

export interface DemoHome {
  /** For keys and other files; mode 0700. */
  readonly dir: string;
  readonly home: Home;
  /** Connects to the home's own engine, and starts it the first time. */
  client(): Promise<Client>;
  /** Ends the engine and deletes everything. Can be called twice. */
  remove(): Promise<void>;
}

// Waits for the demo's end, even by SIGKILL: its standard input closes then. Each line read is the engine's process id.
const janitor = `
pid=; while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill "$pid" 2>/dev/null
  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
  kill -9 "$pid" 2>/dev/null
fi
rm -rf -- "$1"`;

/** The engine inherits this process's environment, so the home is set there too. */
export function makeHome(engineFile: string): DemoHome {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-demo-'));
  const watch = spawn('/bin/sh', ['-c', janitor, 'sh', dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  watch.on('error', () => {});
  watch.stdin.on('error', () => {});
  watch.unref();
  process.env.SALLYPORT_HOME = path.join(dir, 'home');
  // The demo is no place for somebody's real keys.
  delete process.env.SSH_AUTH_SOCK;
  const home = findHome(process.env);
  let removed: Promise<void> | null = null;
  const remove = async () => {
    await stopEngine(home, engineFile);
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    watch.stdin.end('\n');
  };
  return {
    dir,
    home,
    async client() {
      const client = await connect({ home, engineFile, start: true });
      const { pid } = await client.call('status', {});
      watch.stdin.write(`${pid}\n`);
      return client;
    },
    remove() {
      removed ??= remove();
      return removed;
    },
  };
}

async function stopEngine(home: Home, engineFile: string): Promise<void> {
  try {
    const client = await connect({ home, engineFile, start: false });
    const gone = new Promise<void>((resolve) => client.onClose(resolve));
    await client.call('stop', { handover: false }).catch(() => {});
    await gone;
  } catch (error) {
    if (!(error instanceof SallyportError && (error.code === 'no_engine' || error.code === 'engine_gone'))) throw error;
  }
}
