import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import os from 'node:os';
import { SallyportError } from '../model/errors.ts';
import type { ResolvedOptions } from '../model/host.ts';
import { type HostRequest, sshArgs, sshDestination } from './request.ts';
import { resolveWithoutSsh } from './resolve-without-ssh.ts';

/** What of this machine decides how a host is resolved. */
export interface SshEnvironment {
  /** The home ssh(1) uses: the one of the user database, whatever HOME says. */
  readonly home: string;
  /** Absolute path of ssh(1); null where there is none. */
  readonly ssh: string | null;
}

/** Longest wait for `ssh -G`; a `Match exec` command runs inside it. */
const timeoutMs = 15_000;
const alwaysLists: ReadonlySet<string> = new Set([
  'identityfile',
  'certificatefile',
  'localforward',
  'remoteforward',
  'dynamicforward',
]);

/** The environment of this process: `ssh` from its PATH, its user's home. */
export function sshEnvironment(searchPath = process.env.PATH ?? ''): SshEnvironment {
  let ssh: string | null = null;
  for (const folder of searchPath.split(':').filter((each) => each.startsWith('/'))) {
    try {
      accessSync(`${folder}/ssh`, constants.X_OK);
      ssh = `${folder}/ssh`;
      break;
    } catch {}
  }
  return { home: os.userInfo().homedir, ssh };
}

/** Reads the output of `ssh -G`: names as printed, what repeats as an array, in order. */
export function parseResolved(output: string): Record<string, string | string[]> {
  const options: Record<string, string | string[]> = {};
  for (const line of output.split('\n')) {
    const [, name, value] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const before = options[name];
    if (Array.isArray(before)) before.push(value);
    else if (before !== undefined) options[name] = [before, value];
    else options[name] = alwaysLists.has(name.toLowerCase()) ? [value] : value;
  }
  return options;
}

/**
 * A host's options exactly as ssh would have them, names in lower case.
 * @throws SallyportError `host_config` with ssh's own words
 */
export async function resolveHost(
  request: HostRequest,
  env: SshEnvironment = sshEnvironment(),
  signal?: AbortSignal,
): Promise<ResolvedOptions> {
  const dest = sshDestination(request.dest);
  if (env.ssh === null) return resolveWithoutSsh({ ...request, dest }, env);
  const printed = await printedOptions({ ...request, dest }, env.ssh, signal);
  return Object.fromEntries(Object.entries(printed).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What `ssh -G` prints, names as printed. */
export async function printedOptions(
  request: HostRequest,
  ssh: string,
  signal?: AbortSignal,
): Promise<Record<string, string | string[]>> {
  const args = ['-G', ...sshArgs(request.overrides), '--', request.dest];
  return parseResolved(await run(ssh, args, request.dest, signal));
}

function run(ssh: string, args: readonly string[], dest: string, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      ssh,
      args,
      { timeout: timeoutMs, maxBuffer: 4 << 20, ...(signal ? { signal } : {}) },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (signal?.aborted) reject(signal.reason);
        else if (child.killed) reject(failed(dest, `ssh -G did not answer within ${timeoutMs / 1000} s`, error));
        else reject(failed(dest, complaint(stderr) ?? `ssh does not take "${dest}" with these options`, error));
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end();
  });
}

const failed = (dest: string, message: string, cause?: unknown) =>
  new SallyportError('host_config', message, `see what \`ssh -G ${dest}\` says`, { cause });

/** The first line of ssh's stderr that tells what is wrong. */
export function complaint(stderr: string): string | null {
  for (const line of stderr.split('\n')) {
    const text = line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').trim();
    if (text !== '' && !/^(?:Pseudo-terminal|Warning:|usage:|debug\d:)/i.test(text)) return text;
  }
  return null;
}
