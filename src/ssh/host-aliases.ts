import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type ConfigLine, readConfigLine } from './config-lines.ts';
import { includedFiles, maxIncludes } from './include.ts';

export interface AliasSources {
  /** One file instead of the user's and the system's. */
  readonly file?: string;
  readonly home?: string;
}

/**
 * The concrete names of `Host` lines, Include followed, in the order they are written: no patterns, no negations. Files
 * and lines that cannot be read are passed over.
 */
export async function hostAliases({ file, home = os.userInfo().homedir }: AliasSources = {}): Promise<string[]> {
  const found = new Set<string>();
  const user = path.join(home, '.ssh');
  if (file !== undefined) {
    await collect(file, user, home, found, 0);
  } else {
    await collect(path.join(user, 'config'), user, home, found, 0);
    await collect('/etc/ssh/ssh_config', '/etc/ssh', home, found, 0);
  }
  return [...found];
}

async function collect(file: string, folder: string, home: string, found: Set<string>, depth: number): Promise<void> {
  if (depth > maxIncludes) return;
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const raw of text.split('\n')) {
    const line = readable(raw);
    if (line?.keyword === 'host') {
      for (const name of line.words) if (!/[*?!]/.test(name) && !name.startsWith('-')) found.add(name);
    } else if (line?.keyword === 'include') {
      for (const pattern of line.words) {
        for (const each of includedFiles(pattern, folder, home)) await collect(each, folder, home, found, depth + 1);
      }
    }
  }
}

function readable(raw: string): ConfigLine | null {
  try {
    return readConfigLine(raw, '');
  } catch {
    return null;
  }
}
