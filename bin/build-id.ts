import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');

/** Identifies this very source tree: a client of another build restarts the engine. */
export function buildId(): string {
  const hash = createHash('sha256');
  const src = path.join(root, 'src');
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.(ts|tsx|json)$/.test(file)) continue;
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(path.join(src, file)));
  }
  hash.update(readFileSync(path.join(root, 'package.json')));
  return hash.digest('hex').slice(0, 12);
}
