import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** One look at the machine. `ok` null: not needed for the main job, or not to be told here. */
export interface Check {
  readonly check: string;
  readonly ok: boolean | null;
  /** What was found, one line. */
  readonly detail: string;
  /** What to do about it; empty when there is nothing to do. */
  readonly hint: string;
}

/** What the checks look at; a test brings its own. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  /** A file's text, or null. */
  readonly text: (file: string) => Promise<string | null>;
  /** A program's first line of output, on either stream; null when there is no such program or it fails. */
  readonly firstLine: (program: string, args: readonly string[]) => Promise<string | null>;
}

export function realSurroundings(env: NodeJS.ProcessEnv = process.env): Surroundings {
  // Debian keeps nft and conntrack in sbin, which a user's PATH leaves out.
  const path = `${env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
  return {
    env,
    text: (file) => readFile(file, 'utf8').catch(() => null),
    firstLine: (program, args) =>
      new Promise((resolve) => {
        const options = { env: { ...env, PATH: path, LC_ALL: 'C' }, timeout: 5000 };
        execFile(program, [...args], options, (error, stdout, stderr) => {
          resolve(error === null ? ((stdout.trim() || stderr.trim()).split('\n')[0] ?? null) : null);
        });
      }),
  };
}

export const fine = (check: string, detail: string): Check => ({ check, ok: true, detail, hint: '' });
export const bad = (check: string, detail: string, hint: string): Check => ({ check, ok: false, detail, hint });
export const optional = (check: string, detail: string, hint = ''): Check => ({ check, ok: null, detail, hint });
