// The built program, run in a throw-away home like a user would.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { root } from './global-setup.ts';
import { makeHome, type TestHome } from './home.ts';

export const program = path.join(root, 'bin', 'sallyport');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as one JSON value. */
  json<T = unknown>(): T;
}

export interface ProgramHome extends TestHome {
  readonly dir: string;
  /** Runs `sallyport` with these words, without a terminal. */
  run(words: readonly string[]): Promise<Ran>;
}

/** @param more environment on top of the test's own; no agent unless one is given */
export function programHome(more: NodeJS.ProcessEnv = {}): ProgramHome {
  const made = makeHome();
  const env = { ...made.env, SSH_AUTH_SOCK: '', ...more };
  return {
    ...made,
    env,
    dir: made.home.configDir,
    async run(words) {
      const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
      const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
      return { code, stdout, stderr, json: () => JSON.parse(stdout) };
    },
  };
}

/** Runs the program with words put before it, such as another network namespace. */
export async function runUnder(prefix: readonly string[], home: ProgramHome, words: readonly string[]): Promise<Ran> {
  const [command = program, ...rest] = [...prefix, program, ...words];
  const child = spawn(command, rest, { env: home.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr, json: () => JSON.parse(stdout) };
}
