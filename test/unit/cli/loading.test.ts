// What is read before anything is shown: each of these takes longer to start than a plain command to answer.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../support/global-setup.ts';

const dist = path.join(root, 'dist');
const marks = {
  'the schema library': /\bZodType\b/,
  'the command parser': /\bCommanderError = class\b/,
  React: /\breact-reconciler\b/,
  'node:crypto': /^import .*"(node:)?crypto"/m,
};

/** The file and what it imports outright, and so on; what it imports later is not among them. */
function readAtOnce(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|} from|import .* from) "(\..+)";$/gm))
    readAtOnce(path.join(path.dirname(file), name), seen);
  return seen;
}

const loads = (file: string) => {
  const text = [...readAtOnce(file)].map((one) => readFileSync(one, 'utf8')).join('\n');
  return Object.entries(marks).flatMap(([name, mark]) => (mark.test(text) ? [name] : []));
};

/** The chunk a part of the program became. */
function chunkOf(source: string): string {
  const folder = path.join(dist, 'chunks');
  const name = readdirSync(folder).find((one) =>
    readFileSync(path.join(folder, one), 'utf8').includes(`// ${source}\n`),
  );
  return path.join(folder, name ?? `no chunk has ${source}`);
}

test('the start of every command reads none of the big libraries', () => {
  expect(readAtOnce(path.join(dist, 'cli.js')).size).toBeGreaterThan(3);
  expect(loads(path.join(dist, 'cli.js'))).toEqual([]);
});

test('a command has its parser, and no schema before it makes a forward', () => {
  expect(loads(chunkOf('src/cli/program.ts'))).toEqual(['the command parser']);
});

test('the dashboard has neither React nor the schema before its first frame', () => {
  expect(loads(chunkOf('src/ui/main.ts'))).toEqual([]);
  expect(loads(chunkOf('src/ui/mount.tsx'))).toEqual(['React']);
});
