// Writes the generated tables of README and docs between their markers; `--check` fails when one is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { failureCodes } from '../src/model/errors.ts';

const root = path.join(import.meta.dirname, '..');

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');

/** Section name, as in `<!-- generated: NAME -->` … `<!-- end: NAME -->`, and what belongs there. */
const sections: Record<string, () => string> = {
  failures: () =>
    table(
      ['code', 'meaning', 'tried again'],
      Object.entries(failureCodes).map(([code, { title, heals }]) => [`\`${code}\``, title, heals ? 'yes' : 'no']),
    ),
};

const files = ['docs/errors.md'];
let stale = 0;
for (const file of files) {
  const full = path.join(root, file);
  const before = readFileSync(full, 'utf8');
  const after = before.replace(
    /<!-- generated: ([\w-]+) -->\n[\s\S]*?<!-- end: \1 -->/g,
    (_, name: string) => `<!-- generated: ${name} -->\n${sections[name]?.() ?? ''}\n<!-- end: ${name} -->`,
  );
  if (after === before) continue;
  if (process.argv.includes('--check')) {
    console.error(`${file} is stale: run npm run docs`);
    stale++;
  } else {
    writeFileSync(full, after);
    console.log(`${file} written`);
  }
}
process.exitCode = stale > 0 ? 1 : 0;
