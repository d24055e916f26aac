import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const deepest = 8;

/**
 * The names a person has given hosts in ssh_config(5), in order, for completion only: what they mean is for ssh to say.
 * Files that cannot be read count as empty.
 * @param userHome the person's home, where relative Include paths start from its `.ssh`
 */
export function sshHostNames(userHome: string, file = path.join(userHome, '.ssh', 'config')): string[] {
  const names = new Set<string>();
  const read = (name: string, depth: number) => {
    let text: string;
    try {
      text = readFileSync(name, 'utf8');
    } catch {
      return;
    }
    for (const line of text.split('\n')) {
      const [, keyword = '', rest = ''] = /^\s*(\w+)(?:\s*=\s*|\s+)(.+?)\s*$/.exec(line) ?? [];
      const words = (rest.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
      if (keyword.toLowerCase() === 'host') {
        for (const word of words) if (!/[*?!%]/.test(word)) names.add(word);
      } else if (keyword.toLowerCase() === 'include' && depth < deepest) {
        for (const word of words) for (const found of included(word, userHome)) read(found, depth + 1);
      }
    }
  };
  read(file, 0);
  return [...names];
}

function included(pattern: string, userHome: string): string[] {
  const full = pattern.startsWith('~/')
    ? path.join(userHome, pattern.slice(2))
    : path.resolve(userHome, '.ssh', pattern);
  return globSync(full).sort();
}
