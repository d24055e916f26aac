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
import type * as z from 'zod';
import { Config, emptyConfig } from '../model/config.ts';
import { SallyportError } from '../model/errors.ts';
import { configSchemaFor } from './json-schema.ts';
import { migrate } from './migrations.ts';

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

const fileName = 'config.json';

/** The last configuration that was written whole, beside the config file. */
export const lastGoodName = 'config.json.last-good';

export function openConfigFile(dir: string): ConfigFile {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = path.join(dir, fileName);
  const lastGood = path.join(dir, lastGoodName);
  let text = readText(file);
  let conf: Conf | null = null;

  const open = () => {
    // Inside a snap conf would write in place; a rename is possible in every folder this file can be in.
    delete process.env.SNAP;
    conf ??= new Conf({
      cwd: dir,
      configName: 'config',
      configFileMode: 0o600,
      clearInvalidConfig: false,
      defaults: JSON.parse(JSON.stringify(emptyConfig())),
      serialize: (value) => `${JSON.stringify(value, null, 2)}\n`,
      ...configSchemaFor(Config),
    });
    return conf;
  };

  return {
    path: file,
    read() {
      text = readText(file);
      return text === null ? emptyConfig() : parseConfig(text, file);
    },
    write(config) {
      const plain = JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
      const before = readText(file);
      try {
        if (before !== null) keepAside(file, lastGood);
        open().store = plain;
        const written = readText(file);
        if (written === null || !isDeepStrictEqual(JSON.parse(written), plain))
          throw new Error('it does not read back as written');
        syncFolder(dir);
        text = written;
      } catch (cause) {
        if (readText(file) !== before) putBack(file, lastGood, before);
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

/**
 * Reads a configuration: migrates an older version, refuses a newer one, names the first thing that is wrong.
 * @param where what the text is, for the message
 */
export function parseConfig(text: string, where: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(where, `it is not JSON: ${(cause as Error).message}`, cause);
  }
  const parsed = Config.safeParse(migrate(value, where));
  if (!parsed.success) throw invalid(where, describeIssue(parsed.error), parsed.error);
  const seen = new Set<string>();
  for (const { name } of parsed.data.forwards) {
    if (seen.has(name)) throw invalid(where, `two forwards are called ${name}`);
    seen.add(name);
  }
  return parsed.data;
}

function invalid(where: string, why: string, cause?: unknown): SallyportError {
  const aside = path.join(path.dirname(where), lastGoodName);
  const hint = existsSync(aside)
    ? `mend it, or go back: cp ${aside} ${where}`
    : path.isAbsolute(where)
      ? 'mend it, or move it away to start afresh'
      : 'name a file that sallyport export wrote';
  return new SallyportError('config_invalid', `cannot read ${where}: ${why}`, hint, { cause });
}

/** The first thing a schema found wrong: `forwards.2.listen.port: ports go from 1 to 65535`. */
export function describeIssue(error: z.ZodError): string {
  const issue = deepest(error.issues[0]);
  const at = issue?.path.join('.') ?? '';
  return `${at === '' ? '' : `${at}: `}${issue?.message ?? 'not valid'}`.replaceAll('\n', ' ');
}

/** A union reports one issue for itself; the branch that got furthest says what is really wrong. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue;
  const branches = issue.errors.map((branch) => deepest(branch[0])).filter((found) => found !== undefined);
  const best = branches.sort((a, b) => b.path.length - a.path.length)[0];
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] };
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SallyportError(
      'config_invalid',
      `cannot read ${file}: ${(error as Error).message}`,
      'check its permissions',
      { cause: error },
    );
  }
}

/** A hard link costs no space and cannot be half done; conf's rename then leaves the old file to it. */
function keepAside(file: string, aside: string): void {
  rmSync(`${aside}.new`, { force: true });
  linkSync(file, `${aside}.new`);
  renameSync(`${aside}.new`, aside);
  // Where both are one file already, as after a write that failed, a rename leaves both names.
  rmSync(`${aside}.new`, { force: true });
}

function putBack(file: string, aside: string, before: string | null): void {
  if (before === null) {
    rmSync(file, { force: true });
    return;
  }
  rmSync(`${file}.back`, { force: true });
  linkSync(aside, `${file}.back`);
  renameSync(`${file}.back`, file);
}

function syncFolder(dir: string): void {
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
