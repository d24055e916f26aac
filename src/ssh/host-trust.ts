// The known_hosts files of one destination: what they say about a key, and writing accepted keys to them.
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ResolvedOptions } from '../model/host.ts';
import {
  formatKnownHost,
  type HostKey,
  judgeHostKey,
  type KnownHost,
  knownHostName,
  orderByKnown,
  parseKnownHosts,
  replaceHostKeys,
  type Verdict,
} from './known-hosts.ts';
import { optionOn, optionText, optionWords } from './option-values.ts';
import { expandPath, type TokenValues } from './tokens.ts';

export type Strictness = 'yes' | 'ask' | 'accept-new' | 'no';

export class HostTrust {
  /** How the host is named in known_hosts. */
  readonly name: string;
  readonly strictness: Strictness;
  readonly userFiles: readonly string[];
  readonly globalFiles: readonly string[];
  private readonly port: number;
  private readonly host: string;
  private readonly aliased: boolean;
  private readonly hashNames: boolean;
  private readonly checkAddress: boolean;

  constructor(options: ResolvedOptions, values: TokenValues) {
    const alias = optionText(options, 'hostkeyalias');
    this.aliased = alias !== '';
    this.port = Number(values.port);
    this.host = alias || values.hostname;
    // An alias stands for the host whatever the port.
    this.name = this.aliased ? alias.toLowerCase() : knownHostName(values.hostname, this.port);
    this.hashNames = optionOn(options, 'hashknownhosts', false);
    this.checkAddress = optionOn(options, 'checkhostip', false) && !this.aliased;
    this.userFiles = optionWords(options, 'userknownhostsfile').map((file) => expandPath(file, values));
    this.globalFiles = optionWords(options, 'globalknownhostsfile').map((file) => expandPath(file, values));
    const strict = optionText(options, 'stricthostkeychecking').toLowerCase();
    this.strictness =
      strict === 'yes' || strict === 'true'
        ? 'yes'
        : strict === 'no' || strict === 'false' || strict === 'off'
          ? 'no'
          : strict === 'accept-new'
            ? 'accept-new'
            : 'ask';
  }

  /** All entries of all files; one that cannot be read counts as empty. */
  async read(): Promise<KnownHost[]> {
    const texts = await Promise.all(
      [...this.userFiles, ...this.globalFiles].map(async (file) => {
        try {
          return parseKnownHosts(await readFile(file, 'utf8'), file);
        } catch {
          return [];
        }
      }),
    );
    return texts.flat();
  }

  /** Host key algorithms in the order to offer them. */
  order(algorithms: readonly string[], entries: readonly KnownHost[]): string[] {
    const plain = this.plainName;
    return orderByKnown(algorithms, entries, plain === null ? [this.name] : [this.name, plain]);
  }

  judge(entries: readonly KnownHost[], key: HostKey): Verdict {
    const verdict = judgeHostKey(entries, this.name, key);
    if (verdict.is !== 'unknown' || this.plainName === null) return verdict;
    // Like ssh: a host seen before on port 22 is the same host, if its key is the same.
    const plain = judgeHostKey(entries, this.plainName, key);
    return plain.is === 'known' || plain.is === 'revoked' ? plain : verdict;
  }

  /** With CheckHostIP: what the files say about the key by the address; null where that is not asked. */
  judgeAddress(entries: readonly KnownHost[], key: HostKey, address: string): Verdict | null {
    const name = knownHostName(address, this.port);
    if (!this.checkAddress || address === '' || name === this.name) return null;
    return judgeHostKey(entries, name, key);
  }

  /**
   * Adds the key to the user's first known_hosts file, one line for each name, in one write.
   * @returns the file, or null where the configuration names none
   * @throws the file system's error
   */
  async remember(key: HostKey, address: string): Promise<string | null> {
    const [file] = this.userFiles;
    if (file === undefined || file === '/dev/null') return null;
    const names = [this.name];
    const byAddress = knownHostName(address, this.port);
    if (this.checkAddress && address !== '' && byAddress !== this.name) names.push(byAddress);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const lines = names.map((name) => `${formatKnownHost(name, key, this.salt())}\n`).join('');
    await appendFile(file, `${(await endsMidLine(file)) ? '\n' : ''}${lines}`, { mode: 0o600 });
    return file;
  }

  /** UpdateHostKeys: the server proved that it holds all of `keys`. @returns the files changed */
  async update(keys: readonly HostKey[]): Promise<string[]> {
    const changed: string[] = [];
    for (const file of this.userFiles) {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch {
        continue;
      }
      const next = replaceHostKeys(text, [this.name], keys, () => this.salt());
      if (next === null) continue;
      const mode = (await stat(file)).mode & 0o777;
      const temporary = `${file}.${randomBytes(6).toString('hex')}`;
      const handle = await open(temporary, 'wx', mode);
      try {
        await handle.writeFile(next);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
      changed.push(file);
    }
    return changed;
  }

  /** The command that forgets the host's keys in `file`. */
  forgetCommand(file: string): string {
    return `ssh-keygen -f ${JSON.stringify(file)} -R ${JSON.stringify(this.name)}`;
  }

  private get plainName(): string | null {
    return this.aliased || this.port === 22 ? null : this.host.toLowerCase();
  }

  private salt(): Buffer | null {
    return this.hashNames ? randomBytes(20) : null;
  }
}

/** Whether the file's last line lacks its newline, so that an appended one would be glued to it. */
async function endsMidLine(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size === 0) return false;
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
      return buffer[0] !== 10;
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}
