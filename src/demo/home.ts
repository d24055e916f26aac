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

// Waits for the demo's end, even by SIGKILL: its standard input closes then, and unless all is done it cleans up. The
// engine may still be on its way up, so it is asked several times.
const janitor = `
read -r line && exit
for i in 1 2 3 4 5 6; do "$2" "$3" engine stop >/dev/null 2>&1 && break; sleep 0.5; done
rm -rf -- "$1" "$4"`;

/** The engine inherits this process's environment, so the home is set there too. */
export function makeHome(engineFile: string): DemoHome {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-demo-'));
  process.env.SALLYPORT_HOME = path.join(dir, 'home');
  // The demo is no place for somebody's real keys.
  delete process.env.SSH_AUTH_SOCK;
  const home = findHome(process.env);
  const program = path.join(path.dirname(engineFile), 'cli.js');
  const watch = spawn('/bin/sh', ['-c', janitor, 'sh', dir, process.execPath, program, home.runDir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  watch.on('error', () => {});
  watch.stdin.on('error', () => {});
  watch.unref();
  let removed: Promise<void> | null = null;
  let starting: Promise<unknown> = Promise.resolve();
  const remove = async () => {
    // An engine on its way up would come back after its home has gone.
    await starting.catch(() => {});
    await stopEngine(home, engineFile);
    // The sockets lie elsewhere where the folder's own path is too long for them.
    for (const one of [dir, home.runDir]) rmSync(one, { recursive: true, force: true, maxRetries: 3 });
    watch.stdin.end('done\n');
  };
  return {
    dir,
    home,
    client() {
      const client = connect({ home, engineFile, start: true });
      starting = client;
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
