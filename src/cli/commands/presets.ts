import type { Command } from 'commander';
import type { PortSet } from '../../model/config.ts';
import { presets } from '../../model/presets.ts';
import { triggerPresets } from '../../model/trigger-presets.ts';
import type { Context } from '../context.ts';
import { printTable } from '../views.ts';

interface Row {
  readonly name: string;
  readonly for: 'map' | 'trigger';
  readonly category: string;
  readonly title: string;
  readonly on: readonly PortSet[];
  readonly ports: readonly PortSet[];
  readonly note: string;
  readonly source: string;
}

const rows: readonly Row[] = [
  ...presets.map(({ name, title, category, ports, note = '', source }) => ({
    name,
    for: 'map' as const,
    category,
    title,
    on: [],
    ports,
    note,
    source,
  })),
  ...triggerPresets.map(({ name, title, category, on, open, note = '', source }) => ({
    name,
    for: 'trigger' as const,
    category,
    title,
    on,
    ports: open,
    note,
    source,
  })),
];

const portText = (sets: readonly PortSet[]) => sets.map(({ proto, ports }) => `${proto}/${ports}`).join(' ');

export function registerPresets(program: Command, context: Context): void {
  program
    .command('presets')
    .summary('known services and their ports')
    .description('List the services map --preset and trigger --preset know, with ports and sources.')
    .argument('[text]', 'only those with this in name, title or category')
    .option('--json', 'print JSON')
    .action((text: string | undefined, { json }: { json?: boolean }) => {
      const wanted = (text ?? '').toLowerCase();
      const found = rows.filter(({ name, title, category }) =>
        `${name} ${title} ${category}`.toLowerCase().includes(wanted),
      );
      if (json) return context.out.json(found);
      if (found.length === 0) return context.out.print('no preset like that');
      printTable(
        context,
        [
          { title: 'PRESET' },
          { title: 'FOR', drop: 2 },
          { title: 'CATEGORY', drop: 4 },
          { title: 'TITLE', min: 12, drop: 3 },
          { title: 'PORTS', min: 14 },
          { title: 'SOURCE', min: 16, drop: 5 },
          { title: 'NOTE', min: 12, drop: 6, optional: true },
        ],
        found.map((row) => [
          row.name,
          row.for,
          row.category,
          row.title,
          row.on.length === 0 ? portText(row.ports) : `${portText(row.on)} opens ${portText(row.ports)}`,
          row.source,
          row.note,
        ]),
      );
    });
}
