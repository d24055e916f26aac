// A throw-away home with an engine of its own.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Client, dialEngine } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import { findHome, type Home } from '../../src/model/home.ts';
import { root } from './global-setup.ts';
import { until } from './until.ts';

export const engineFile = path.join(root, 'dist', 'engine.js');

export interface TestHome {
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  connect(): Promise<Client>;
  /** Process id of the running engine. */
  enginePid(): Promise<number>;
  /** Ends the engine, whatever its state, and removes the folder. */
  remove(): Promise<void>;
}

/** Whether a process runs; one that nobody has taken the exit code of does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export function makeHome(): TestHome {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-'));
  const home = findHome({ SALLYPORT_HOME: dir });
  // The engine is a child of this process and takes its environment.
  process.env.SALLYPORT_HOME = dir;
  const env = { ...process.env, SALLYPORT_HOME: dir };
  return {
    home,
    env,
    connect: () => {
      process.env.SALLYPORT_HOME = dir;
      return connect({ home, start: true, engineFile });
    },
    async enginePid() {
      const client = await connect({ home, start: false, engineFile });
      const { pid } = await client.call('status', {});
      client.close();
      return pid;
    },
    async remove() {
      const client = await dialEngine(home.socket).catch(() => null);
      if (client !== null) {
        const status = await client.call('status', {}).catch(() => null);
        const closed = new Promise<void>((resolve) => client.onClose(resolve));
        await client.call('stop', {}).catch(() => {});
        await closed;
        // It still writes its last state down.
        await until('the engine to be gone', () => status === null || !isRunning(status.pid));
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
