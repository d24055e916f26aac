// The known_hosts file format, sshd(8) SSH_KNOWN_HOSTS FILE FORMAT. Pure: text in, verdicts and text out.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { matchesPatterns } from './patterns.ts';

/** A host's public key in the form known_hosts and authorized_keys use. */
export interface HostKey {
  readonly type: string;
  /** Base64 of the key blob. */
  readonly key: string;
}

export interface KnownHost extends HostKey {
  readonly marker: 'cert-authority' | 'revoked' | null;
  /** The host field as written: names and patterns, or a hash. */
  readonly hosts: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export type Verdict =
  | { readonly is: 'known'; readonly entry: KnownHost }
  /** `others`: keys of other types this host is known by. */
  | { readonly is: 'unknown'; readonly others: readonly KnownHost[] }
  | { readonly is: 'changed'; readonly entry: KnownHost }
  | { readonly is: 'revoked'; readonly entry: KnownHost };

/** The key type at the start of a public key blob, or null where there is none. */
export function blobType(blob: Buffer): string | null {
  if (blob.length < 4) return null;
  const length = blob.readUInt32BE(0);
  if (length === 0 || length > 64 || blob.length < 4 + length) return null;
  return blob.toString('latin1', 4, 4 + length);
}

/** `SHA256:…`, as `ssh-keygen -lf` prints it. */
export function fingerprint(key: string | Buffer): string {
  const blob = typeof key === 'string' ? Buffer.from(key, 'base64') : key;
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** Parses one file. Lines that cannot be read are passed over, as ssh does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const entries: KnownHost[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const fields = raw.trim().split(/[ \t]+/);
    let marker: KnownHost['marker'] = null;
    if (fields[0] === '@cert-authority' || fields[0] === '@revoked') {
      marker = fields[0].slice(1) as 'cert-authority' | 'revoked';
      fields.shift();
    }
    const [hosts, type, key] = fields;
    if (!hosts || hosts.startsWith('#') || hosts.startsWith('@') || !type || !key) continue;
    if (blobType(Buffer.from(key, 'base64')) !== type) continue;
    entries.push({ marker, hosts, type, key, file, line: index + 1 });
  }
  return entries;
}

/** The name a host goes by in known_hosts: `host`, or `[host]:port` off port 22. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

function matchesHash(hosts: string, name: string): boolean {
  const [, magic, salt, hash] = hosts.split('|');
  if (magic !== '1' || !salt || !hash) return false;
  const want = Buffer.from(hash, 'base64');
  const have = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return want.length === have.length && timingSafeEqual(want, have);
}

/** Whether a host field covers `name` (as knownHostName gives it): patterns, negation, or a hash. */
export function coversHost(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name);
  return matchesPatterns(hosts.toLowerCase().split(','), name);
}

/** Key types that ssh takes for one: the curves of ECDSA. */
function family(type: string): string {
  return type.startsWith('ecdsa-sha2-') ? 'ecdsa' : type;
}

/** What the entries of all files say about a plain key (not a certificate) of `name`. */
export function judgeHostKey(entries: readonly KnownHost[], name: string, key: HostKey): Verdict {
  const covering = entries.filter((entry) => entry.marker !== 'cert-authority' && coversHost(entry.hosts, name));
  const revoked = covering.find((entry) => entry.marker === 'revoked' && entry.key === key.key);
  if (revoked) return { is: 'revoked', entry: revoked };
  const plain = covering.filter((entry) => entry.marker === null);
  const same = plain.find((entry) => entry.type === key.type && entry.key === key.key);
  if (same) return { is: 'known', entry: same };
  const different = plain.find((entry) => family(entry.type) === family(key.type));
  if (different) return { is: 'changed', entry: different };
  return { is: 'unknown', others: plain };
}

/** The type of key a host key algorithm proves. */
function keyTypeOf(algorithm: string): string {
  return algorithm === 'rsa-sha2-256' || algorithm === 'rsa-sha2-512' ? 'ssh-rsa' : algorithm;
}

/**
 * Host key algorithms with those first that a known key of the host could prove; otherwise a server with several keys
 * would show one we never saw. Unchanged where the first is already such a one.
 */
export function orderByKnown(
  algorithms: readonly string[],
  entries: readonly KnownHost[],
  names: readonly string[],
): string[] {
  const types = new Set(
    entries
      .filter((entry) => entry.marker === null && names.some((name) => coversHost(entry.hosts, name)))
      .map((entry) => entry.type),
  );
  const known = (algorithm: string) => types.has(keyTypeOf(algorithm));
  const [first] = algorithms;
  if (first === undefined || known(first)) return [...algorithms];
  return [...algorithms.filter(known), ...algorithms.filter((algorithm) => !known(algorithm))];
}

/** A line for known_hosts, without its newline. @param salt 20 random bytes to hash the name with, or null */
export function formatKnownHost(name: string, key: HostKey, salt: Buffer | null): string {
  const host =
    salt === null ? name : `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
  return `${host} ${key.type} ${key.key}`;
}

/**
 * The file's text after the server proved which keys it holds (UpdateHostKeys): keys that no line holds come, and lines
 * for `names` with another key of a proven type go. A type it proved nothing of is left alone: it may be one we cannot
 * verify. Null where nothing changes, or where a line of the host is a pattern or shared with another name, which is a
 * person's to edit.
 */
export function replaceHostKeys(
  text: string,
  names: readonly string[],
  keys: readonly HostKey[],
  salt: () => Buffer | null,
): string | null {
  const mine = parseKnownHosts(text, '').filter(
    (entry) => entry.marker === null && names.some((name) => coversHost(entry.hosts, name)),
  );
  const simple = (hosts: string) => hosts.startsWith('|') || hosts.split(',').every((part) => names.includes(part));
  if (mine.length === 0 || !mine.every((entry) => simple(entry.hosts))) return null;
  const gone = mine.filter(
    (entry) =>
      keys.some((key) => key.type === entry.type) &&
      !keys.some((key) => key.type === entry.type && key.key === entry.key),
  );
  const fresh = keys.filter((key) => !mine.some((entry) => key.type === entry.type && key.key === entry.key));
  if (gone.length === 0 && fresh.length === 0) return null;
  const goneLines = new Set(gone.map((entry) => entry.line));
  const lines = text.split('\n').filter((_, index) => !goneLines.has(index + 1));
  if (lines.at(-1) === '') lines.pop();
  for (const key of fresh) {
    for (const name of names) lines.push(formatKnownHost(name, key, salt()));
  }
  return `${lines.join('\n')}\n`;
}
