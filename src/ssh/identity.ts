// Identity files: which there are, what they hold, whether ssh would take them. No key is decrypted here.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ResolvedOptions } from '../model/host.ts';
import { blobType } from './known-hosts.ts';
import { optionList } from './option-values.ts';
import { expandPath, type TokenValues } from './tokens.ts';

export type Identity =
  /** A private key. `blob`: its public half where it can be seen without decrypting. */
  | {
      readonly is: 'private';
      readonly file: string;
      readonly text: string;
      readonly blob: Buffer | null;
      readonly encrypted: boolean;
    }
  /** Only the public half is there: it picks a key of the agent. */
  | { readonly is: 'public'; readonly file: string; readonly blob: Buffer }
  /** `explicit`: somebody named the file, it is not one that ssh tries by default. */
  | { readonly is: 'missing'; readonly file: string; readonly explicit: boolean }
  /** `why` is one clause; `hint` the command that mends it, or empty. */
  | { readonly is: 'unusable'; readonly file: string; readonly why: string; readonly hint: string };

const defaults = new Set(
  ['rsa', 'ecdsa', 'ecdsa_sk', 'ed25519', 'ed25519_sk', 'xmss', 'dsa', 'mldsa44_ed25519'].map((type) => `id_${type}`),
);

function isDefault(file: string, values: TokenValues): boolean {
  return path.dirname(file) === path.join(values.home, '.ssh') && defaults.has(path.basename(file));
}

/** The blob of a one-line public key, or null. */
function publicBlob(text: string): Buffer | null {
  const [type, key] = text.trimStart().split(/\s+/, 2);
  if (!type || !key) return null;
  const blob = Buffer.from(key, 'base64');
  return blobType(blob) === type ? blob : null;
}

const magic = 'openssh-key-v1\0';

/** The clear head of an OpenSSH private key file (PROTOCOL.key): cipher name and public key; null if it is none. */
function opensshKeyHead(text: string): { encrypted: boolean; blob: Buffer } | null {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(text)?.[1];
  if (body === undefined) return null;
  const data = Buffer.from(body, 'base64');
  if (data.toString('latin1', 0, magic.length) !== magic) return null;
  let at = magic.length;
  const field = (): Buffer => {
    const length = data.readUInt32BE(at);
    if (at + 4 + length > data.length) throw new RangeError('field past the end');
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  try {
    const cipher = field().toString('latin1');
    field();
    field();
    at += 4;
    const blob = field();
    return { encrypted: cipher !== 'none', blob: Buffer.from(blob) };
  } catch {
    return null;
  }
}

async function readIdentity(file: string, values: TokenValues): Promise<Identity> {
  let text: string;
  let mode: number;
  let mine: boolean;
  try {
    const info = await stat(file);
    mode = info.mode;
    mine = info.uid === process.getuid?.();
    if (!info.isFile()) return { is: 'unusable', file, why: 'is not a file', hint: '' };
    if (info.size > 1 << 20) return { is: 'unusable', file, why: 'is too large for a key', hint: '' };
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { is: 'missing', file, explicit: !isDefault(file, values) };
    return { is: 'unusable', file, why: `cannot be read: ${code ?? message}`, hint: '' };
  }
  const bare = publicBlob(text);
  if (bare !== null) return { is: 'public', file, blob: bare };
  if (!/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/.test(text) && !text.startsWith('PuTTY-User-Key-File-')) {
    return { is: 'unusable', file, why: 'is not a private key', hint: '' };
  }
  if (mine && (mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    return {
      is: 'unusable',
      file,
      why: `has mode ${octal}, so others on this machine can get at it`,
      hint: `chmod 600 ${file}`,
    };
  }
  const head = opensshKeyHead(text);
  if (head !== null) return { is: 'private', file, text, ...head };
  let blob: Buffer | null = null;
  try {
    blob = publicBlob(await readFile(`${file}.pub`, 'utf8'));
  } catch {
    // The older formats keep the public half in the encrypted part; without .pub it is known after decrypting.
  }
  const encrypted = /Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY|^Encryption: (?!none)/m.test(text);
  return { is: 'private', file, text, blob, encrypted };
}

/** Of the files named by `-i`, those that are not there: ssh warns and goes on without them, so `ssh -G` has none of them. */
export async function missingIdentities(args: readonly string[], values: TokenValues): Promise<string[]> {
  const named = args.flatMap((arg, i) => (args[i - 1] === '-i' ? [expandPath(arg, values)] : []));
  const read = await Promise.all(named.map((file) => readIdentity(file, values)));
  return read.flatMap((identity) => (identity.is === 'missing' ? [identity.file] : []));
}

/** The identity files of a host in the order ssh tries them, each once. */
export async function readIdentities(options: ResolvedOptions, values: TokenValues): Promise<Identity[]> {
  const files = optionList(options, 'identityfile')
    .filter((file) => file.toLowerCase() !== 'none')
    .map((file) => expandPath(file.replace(/^"(.*)"$/, '$1'), values));
  return Promise.all([...new Set(files)].map((file) => readIdentity(file, values)));
}
