import { globSync } from 'node:fs';
import path from 'node:path';

/** As deep as ssh follows Include. */
export const maxIncludes = 16;

/**
 * The files one Include pattern of ssh_config(5) names, in the order ssh reads them.
 * @param folder where a relative pattern starts: `~/.ssh`, or `/etc/ssh` in the system's file
 */
export function includedFiles(pattern: string, folder: string, home: string): string[] {
  const full = pattern.startsWith('~/') ? path.join(home, pattern.slice(2)) : pattern;
  return globSync(path.resolve(folder, full)).sort();
}
