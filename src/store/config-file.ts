// The config file, through conf. conf alone is not safe enough for the one copy of an operator's rules: on a full disk its
// write has been seen to return without an error and leave a truncated file. So the last good file is linked aside first,
// the new one is read back, and the old one put back when they differ.
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Conf from 'conf';
import { Config, emptyConfig } from '../model/config.ts';
import { configFileName, lastGoodName, parseConfig, repairHint } from '../model/config-text.ts';
import { SallyportError, systemReason } from '../model/errors.ts';
import { configSchemaFor } from './json-schema.ts';

export interface ConfigFile {
  readonly path: string;
  /**
   * What the file says now; an empty configuration where there is none.
   * @throws SallyportError `config_invalid`, `config_newer`; the file is left as it is
   */
  read(): Config;
  /**
   * Writes the whole configuration or nothing.
   * @throws SallyportError `config_write`; the file is what it was
   */
  write(config: Config): void;
  /** Whether somebody else changed the file since it was last read or written here. */
  changedOutside(): boolean;
}

export function openConfigFile(dir: string): ConfigFile {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = path.join(dir, configFileName);
  const lastGood = path.join(dir, lastGoodName);
  const aside = `${lastGood}.new`;
  let text = readText(file);
  let conf: Conf | null = null;

  const parse = (read: string) => parseConfig(read, file, repairHint(file, existsSync(lastGood) ? lastGood : null));
  const open = () => {
    // Inside a snap conf would write in place; a rename is possible in every folder this file can be in.
    delete process.env.SNAP;
    conf ??= new Conf({
      cwd: dir,
      configName: 'config',
      configFileMode: 0o600,
      clearInvalidConfig: false,
      defaults: plainOf(emptyConfig()),
      // A file written by hand may leave out what has a default; conf's schema is that of a whole configuration.
      deserialize: (read) => plainOf(parse(read)),
      serialize: (value) => `${JSON.stringify(value, null, 2)}\n`,
      ...configSchemaFor(Config),
    });
    return conf;
  };

  return {
    path: file,
    read() {
      const read = readText(file);
      const config = read === null ? emptyConfig() : parse(read);
      // Only what was understood counts as known: anything else stays a change of somebody else's, never written over.
      text = read;
      return config;
    },
    write(config) {
      const plain = plainOf(config);
      const before = readText(file);
      try {
        if (before !== null) keepAside(file, aside);
        open().store = plain;
        const written = readText(file);
        if (written === null || !isDeepStrictEqual(JSON.parse(written), plain))
          throw new Error('it does not read back as written');
        if (before !== null) renameSync(aside, lastGood);
        syncFolder(dir);
        text = written;
      } catch (cause) {
        if (readText(file) !== before) putBack(file, aside, before);
        rmSync(aside, { force: true });
        throw new SallyportError(
          'config_write',
          `cannot write ${file}: ${(cause as Error).message}`,
          'check free space and permissions there; nothing was changed',
          { cause },
        );
      }
    },
    changedOutside: () => readText(file) !== text,
  };
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SallyportError('config_invalid', `cannot read ${file}: ${systemReason(error)}`, 'check its permissions', {
      cause: error,
    });
  }
}

const plainOf = (config: Config) => JSON.parse(JSON.stringify(config)) as Record<string, unknown>;

/**
 * A hard link costs no space and cannot be half done; conf's rename then leaves the old file to it. It gets its name for
 * good only after that: while both names are one file, whoever edits it in place would spoil the copy too.
 */
function keepAside(file: string, aside: string): void {
  rmSync(aside, { force: true });
  linkSync(file, aside);
}

function putBack(file: string, aside: string, before: string | null): void {
  if (before === null) rmSync(file, { force: true });
  else renameSync(aside, file);
}

function syncFolder(dir: string): void {
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
