// Writes the generated tables of README and docs between their markers; `--check` fails when one is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { failureCodes } from '../src/model/errors.ts';
import { filterColumns } from '../src/present/filter.ts';
import { views } from '../src/ui/keymap/binding.ts';
import { keymap } from '../src/ui/keymap/keymap.ts';
import { keyLabel } from '../src/ui/keys.ts';

const root = path.join(import.meta.dirname, '..');

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');

/** The bindings of the views, or of what opens over them. */
function keys(inViews: boolean): string {
  const rows = keymap.filter(({ contexts }) => contexts.some((context) => views.includes(context)) === inViews);
  const where = (contexts: readonly string[]) =>
    views.every((view) => contexts.includes(view))
      ? 'everywhere'
      : contexts.map((context) => (context === 'hostkey' ? 'host key' : context)).join(', ');
  return table(
    ['key', 'where', 'what it does'],
    rows.map(({ keys: names, contexts, help }) => [
      names.map((name) => `\`${keyLabel(name)}\``).join(' '),
      where(contexts),
      help,
    ]),
  );
}

/** Section name, as in `<!-- generated: NAME -->` … `<!-- end: NAME -->`, and what belongs there. */
const sections: Record<string, () => string> = {
  'keys-views': () => keys(true),
  'keys-dialogs': () => keys(false),
  'filter-columns': () => filterColumns.map((name) => `\`${name}:\``).join(', '),
  failures: () =>
    table(
      ['code', 'meaning', 'tried again'],
      Object.entries(failureCodes).map(([code, { title, heals }]) => [`\`${code}\``, title, heals ? 'yes' : 'no']),
    ),
};

const files = ['docs/errors.md', 'docs/keys.md'];
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
