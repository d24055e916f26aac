// What this machine has, and lacks, for sallyport.
import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { build, version } from '../model/build.ts';
import { toFailure } from '../model/errors.ts';
import { readConfigFile } from './config-file.ts';
import type { Context } from './context.ts';

export interface Check {
  readonly check: string;
  readonly is: 'good' | 'note' | 'bad';
  readonly detail: string;
  readonly hint: string;
}

const execute = promisify(execFile);
const good = (check: string, detail: string): Check => ({ check, is: 'good', detail, hint: '' });

export async function machineChecks({ home, env }: Pick<Context, 'home' | 'env'>): Promise<Check[]> {
  return [
    good('sallyport', `${version}, build ${build}`),
    nodeCheck(),
    cryptoCheck(),
    await programCheck(
      'ssh',
      ['-V'],
      'resolves hosts, and carries what needs certificates or FIDO keys',
      'install openssh-client',
    ),
    await programCheck('nft', ['--version'], 'mappings and triggers in the kernel', 'install nftables', [
      '/usr/sbin/nft',
      '/sbin/nft',
    ]),
    await programCheck('conntrack', ['--version'], 'exact flows of kernel mappings', 'install conntrack', [
      '/usr/sbin/conntrack',
      '/sbin/conntrack',
    ]),
    rightsCheck(),
    descriptorCheck(),
    env.SSH_AUTH_SOCK
      ? good('agent', env.SSH_AUTH_SOCK)
      : {
          check: 'agent',
          is: 'note',
          detail: 'SSH_AUTH_SOCK is not set',
          hint: 'start one with ssh-agent if your keys are in it',
        },
    homeCheck(home.dir),
    await configCheck(home),
    ...bridgeCheck(),
  ];
}

function nodeCheck(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 22) return good('node', process.versions.node);
  return { check: 'node', is: 'bad', detail: process.versions.node, hint: 'run npm ci, which brings Node 24' };
}

/** ssh2 falls back to JavaScript ciphers, at a tenth of the speed, without a word when its binding does not load. */
function cryptoCheck(): Check {
  try {
    createRequire(import.meta.url)('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node');
    return good('crypto', 'native');
  } catch (error) {
    return {
      check: 'crypto',
      is: 'bad',
      detail: `the native binding does not load: ${(error as Error).message.split('\n')[0]}`,
      hint: 'npm rebuild ssh2',
    };
  }
}

async function programCheck(
  name: string,
  words: string[],
  use: string,
  hint: string,
  also: string[] = [],
): Promise<Check> {
  for (const file of [name, ...also]) {
    try {
      const { stdout, stderr } = await execute(file, words, { timeout: 5000 });
      return good(name, (stdout || stderr).trim().split('\n')[0] ?? '');
    } catch {}
  }
  return { check: name, is: 'note', detail: `not here (${use})`, hint };
}

const capNetAdmin = 12n;
const capNetBindService = 10n;

function rightsCheck(): Check {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readOr('/proc/self/status'))?.[1] ?? '0'}`);
  const has = (bit: bigint) => (effective >> bit) % 2n === 1n;
  const lacking = [
    ...(has(capNetAdmin) ? [] : ['CAP_NET_ADMIN']),
    ...(has(capNetBindService) ? [] : ['CAP_NET_BIND_SERVICE']),
  ];
  if (lacking.length === 0) return good('rights', 'kernel mappings and ports below 1024');
  return {
    check: 'rights',
    is: 'note',
    detail: `without ${lacking.join(' and ')}`,
    hint: 'run the engine as root for kernel mappings and low ports',
  };
}

const fewDescriptors = 4096;

function descriptorCheck(): Check {
  const soft = /^Max open files\s+(\d+)/m.exec(readOr('/proc/self/limits'))?.[1];
  if (soft === undefined || Number(soft) >= fewDescriptors) return good('descriptors', soft ?? 'unknown');
  return {
    check: 'descriptors',
    is: 'note',
    detail: `at most ${soft} open files, two a flow`,
    hint: 'ulimit -n 65536 before the engine starts',
  };
}

function homeCheck(dir: string): Check {
  try {
    const { mode, uid } = statSync(dir);
    if (uid !== process.getuid?.())
      return {
        check: 'home',
        is: 'bad',
        detail: `${dir} belongs to another user`,
        hint: 'set SALLYPORT_HOME to a folder of yours',
      };
    if ((mode & 0o077) !== 0)
      return { check: 'home', is: 'note', detail: `${dir} can be read by others`, hint: `chmod 700 ${dir}` };
    accessSync(dir, constants.W_OK);
    return good('home', dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return good('home', `${dir} (not made yet)`);
    return { check: 'home', is: 'bad', detail: `${dir}: ${code}`, hint: 'set SALLYPORT_HOME to a folder of yours' };
  }
}

async function configCheck(home: Context['home']): Promise<Check> {
  try {
    const { forwards } = await readConfigFile(home);
    return good('config', `${path.join(home.configDir, 'config.json')}, ${forwards.length} forwards`);
  } catch (error) {
    const { message, hint } = toFailure(error);
    return { check: 'config', is: 'bad', detail: message, hint };
  }
}

/** With it, the kernel sends bridged packets through the rules too, and hairpin to the same host breaks. */
function bridgeCheck(): Check[] {
  if (readOr('/proc/sys/net/bridge/bridge-nf-call-iptables').trim() !== '1') return [];
  return [
    {
      check: 'bridge',
      is: 'note',
      detail: 'br_netfilter is on: hairpin over a bridge does not work',
      hint: 'sysctl net.bridge.bridge-nf-call-iptables=0',
    },
  ];
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
