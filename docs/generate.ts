// Writes the generated parts of README and docs between their markers; with `--check` fails where one is stale.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { failureCodes } from '../src/model/errors.ts';
import { findings } from '../src/model/findings.ts';
import { type Preset, presetCategories, presets } from '../src/model/presets.ts';
import { triggerPresets } from '../src/model/trigger-presets.ts';
import { filterColumns } from '../src/present/filter.ts';
import { views } from '../src/ui/keymap/binding.ts';
import { keymap } from '../src/ui/keymap/keymap.ts';
import { keyLabel } from '../src/ui/keys.ts';
import { commandHelp } from './command-help.ts';
import { configTables } from './config-tables.ts';
import { code, table } from './table.ts';

const root = path.join(import.meta.dirname, '..');

const portText = (sets: Preset['ports']) => sets.map(({ proto, ports }) => code(`${proto}/${ports}`)).join(' ');

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
      names.map((name) => code(keyLabel(name))).join(' '),
      where(contexts),
      help,
    ]),
  );
}

function presetTables(): string {
  return presetCategories
    .map((category) => {
      const rows = presets
        .filter((preset) => preset.category === category)
        .map(({ name, title, ports, source, note = '' }) => [code(name), title, portText(ports), note, source]);
      return `### ${category}\n\n${table(['preset', 'for', 'ports', 'note', 'where the ports are written'], rows)}`;
    })
    .join('\n\n');
}

/** Section by name, as in `<!-- generated: NAME -->` … `<!-- end: NAME -->`, and what belongs there. */
const sections: Readonly<Record<string, () => string>> = {
  ...configTables,
  commands: commandHelp,
  failures: () =>
    table(
      ['code', 'meaning', 'tried again'],
      Object.entries(failureCodes).map(([name, { title, heals }]) => [code(name), title, heals ? 'yes' : 'no']),
    ),
  findings: () =>
    table(
      ['code', 'level', 'finding', 'what to do'],
      Object.entries(findings).map(([name, { level, message, advice }]) => [code(name), level, message, advice]),
    ),
  'keys-views': () => keys(true),
  'keys-dialogs': () => keys(false),
  'filter-columns': () => filterColumns.map((name) => code(`${name}:`)).join(', '),
  presets: presetTables,
  'trigger-presets': () =>
    table(
      ['preset', 'for', 'a call to', 'opens', 'closes after', 'note', 'where the ports are written'],
      triggerPresets.map(({ name, title, on, open, idle, note = '', source }) => [
        code(name),
        title,
        portText(on),
        portText(open),
        idle,
        note,
        source,
      ]),
    ),
};

const check = process.argv.includes('--check');
const complaints: string[] = [];
const unused = new Set(Object.keys(sections));
const pages = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'));
for (const file of ['README.md', ...pages.sort().map((name) => `docs/${name}`)]) {
  const full = path.join(root, file);
  const before = readFileSync(full, 'utf8');
  const after = before.replace(
    /<!-- generated: ([\w-]+) -->[\s\S]*?<!-- end: \1 -->/g,
    (marked: string, name: string) => {
      const section = sections[name];
      unused.delete(name);
      if (section === undefined) complaints.push(`${file}: there is no section ${name}`);
      if (section === undefined) return marked;
      const text = section();
      // One line may stand in the middle of a sentence.
      const body = text.includes('\n') ? `\n\n${text}\n\n` : text;
      return `<!-- generated: ${name} -->${body}<!-- end: ${name} -->`;
    },
  );
  if (after === before) continue;
  if (check) {
    complaints.push(`${file} is stale: run npm run docs`);
  } else {
    writeFileSync(full, after);
    console.log(`${file} written`);
  }
}
for (const name of unused) complaints.push(`no page has the section ${name}`);
for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
