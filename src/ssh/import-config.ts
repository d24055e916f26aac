// The forwards an ssh_config(5) holds, as forwards of ours.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Forward } from '../model/config.ts';
import { type ForwardSpec, formatListen, parseForwardSpec } from '../model/endpoint.ts';
import { SallyportError, systemReason, toFailure } from '../model/errors.ts';
import type { ResolvedOptions } from '../model/host.ts';
import { hostAliases } from './host-aliases.ts';
import { openToAll } from './import-command.ts';
import { optionList, optionText } from './option-values.ts';
import { resolveHost, type SshEnvironment, sshEnvironment } from './resolve.ts';

export interface ImportOptions {
  /** None: the user's and the system's configuration. */
  readonly file?: string;
  readonly session?: string;
  /** Names that are taken. */
  readonly taken?: readonly string[];
  readonly env?: SshEnvironment;
  readonly signal?: AbortSignal;
}

export interface Imported {
  readonly forwards: readonly Forward[];
  readonly skipped: readonly { readonly host: string; readonly line: string; readonly why: string }[];
}

/** A free name made from a host's: NAME, then NAME-2 and so on. */
export function nameForImport(host: string, taken: ReadonlySet<string>): string {
  const plain =
    host
      .replace(/^ssh:\/\//, '')
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'ssh';
  for (let n = 1; ; n++) {
    const suffix = n === 1 ? '' : `-${n}`;
    const name = plain.slice(0, 64 - suffix.length) + suffix;
    if (!taken.has(name)) return name;
  }
}

/** @throws SallyportError `host_config` */
async function checkReadable(file: string): Promise<void> {
  try {
    await readFile(file);
  } catch (cause) {
    const hint = 'name a file in the form of ssh_config(5)';
    throw new SallyportError('host_config', `cannot read ${file}: ${systemReason(cause)}`, hint, { cause });
  }
}

/**
 * The LocalForward, RemoteForward and DynamicForward lines of every concrete host, as ssh itself resolves them. What
 * cannot be taken over is told with its reason.
 */
export async function forwardsFromSshConfig(options: ImportOptions = {}): Promise<Imported> {
  const env = options.env ?? sshEnvironment();
  const usual = path.join(env.home, '.ssh', 'config');
  const own = options.file !== undefined && path.resolve(options.file) !== usual;
  const configFile = own ? path.resolve(options.file as string) : undefined;
  if (options.file !== undefined) await checkReadable(options.file);
  const taken = new Set(options.taken ?? []);
  const listeners = new Map<string, string>();
  const forwards: Forward[] = [];
  const skipped: Array<Imported['skipped'][number]> = [];

  for (const host of await hostAliases({ home: env.home, ...(configFile === undefined ? {} : { file: configFile }) })) {
    const skip = (line: string, why: string) => skipped.push({ host, line, why });
    const overrides = configFile === undefined ? {} : { configFile };
    let resolved: ResolvedOptions;
    try {
      resolved = await resolveHost({ dest: host, overrides }, env, options.signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      skip('', toFailure(error).message);
      continue;
    }
    for (const { line, spec } of forwardLines(resolved)) {
      if (typeof spec === 'string') {
        skip(line, spec);
        continue;
      }
      const where = `${spec.kind === 'remote' ? `${resolved.hostname}:${resolved.port} ` : ''}${formatListen(spec.listen)}`;
      const holder = listeners.get(where);
      const free = 'port' in spec.listen && spec.listen.port === 0;
      if (holder !== undefined && !free) {
        skip(line, `${formatListen(spec.listen)} is listened on by ${holder} already`);
        continue;
      }
      const name = nameForImport(host, taken);
      const parsed = Forward.safeParse({
        name,
        kind: spec.kind,
        session: options.session ?? 'default',
        enabled: false,
        host,
        ...(configFile === undefined ? {} : { ssh: overrides }),
        listen: spec.listen,
        ...(spec.target === null ? {} : { target: spec.target }),
      });
      if (!parsed.success) {
        skip(line, parsed.error.issues[0]?.message ?? 'cannot be expressed');
        continue;
      }
      taken.add(name);
      listeners.set(where, name);
      forwards.push(parsed.data);
    }
  }
  return { forwards, skipped };
}

const forwardKinds = { localforward: 'local', remoteforward: 'remote', dynamicforward: 'dynamic' } as const;

/** The forwards of a resolved host; a string in place of one that cannot be read says why. */
function forwardLines(options: ResolvedOptions): Array<{ line: string; spec: ForwardSpec | string }> {
  const gateway = optionText(options, 'gatewayports') === 'yes';
  // ssh -G prints a LocalForward to a socket a second time, as a DynamicForward that is not there.
  const echoes = new Set(
    optionList(options, 'localforward').flatMap((value) =>
      / \//.test(value) ? [value.slice(0, value.indexOf(' '))] : [],
    ),
  );
  return Object.entries(forwardKinds).flatMap(([name, kind]) =>
    optionList(options, name)
      .filter((value) => kind !== 'dynamic' || !(echoes.has(value) || value.startsWith('/')))
      .map((value) => {
        const spec = readForward(kind, value);
        return { line: `${name} ${value}`, spec: typeof spec !== 'string' && gateway ? openToAll(spec) : spec };
      }),
  );
}

/** `8080 [web]:80` as `ssh -G` prints it. */
function readForward(kind: ForwardSpec['kind'], value: string): ForwardSpec | string {
  const words = value.split(' ');
  if (words.length > 2) return 'a socket path with a space cannot be told from two';
  const parts = words
    .filter((word) => word !== '[socks]:0')
    .map((word) => (word.startsWith('/') ? word.replace(/[\\:]/g, '\\$&') : word));
  try {
    return parseForwardSpec(kind, parts.join(':'));
  } catch (error) {
    return toFailure(error).message;
  }
}
