import type { Command } from 'commander';
import { formatSpan } from '../../present/quantity.ts';
import { safeText } from '../../present/sanitize.ts';
import { type Context, withEngine } from '../context.ts';
import { declareSsh, destination, type SshFlags, sshFields } from '../flags/ssh.ts';
import { printTable } from '../views.ts';
import { placeOf } from './add.ts';

export function registerHosts(program: Command, context: Context): void {
  program
    .command('hosts')
    .summary('list the SSH hosts in use')
    .description('List the SSH hosts the forwards use, and how each connection does.')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const links = await withEngine(context, (client) => client.call('hosts', {}));
      if (json) return context.out.json(links);
      if (links.length === 0) return context.out.print('no hosts in use');
      const now = Date.now();
      printTable(
        context,
        [
          { title: 'HOST', min: 10 },
          { title: 'STATE' },
          { title: 'CARRIER', drop: 1 },
          { title: 'ADDRESS', drop: 2, optional: true },
          { title: 'CIPHER', drop: 4, optional: true },
          { title: 'RTT', align: 'right', drop: 3, optional: true },
          { title: 'FOR', align: 'right', drop: 5, optional: true },
          { title: 'REASON', min: 16, optional: true },
        ],
        links.map(({ spec, status }) => {
          const up = status.is === 'up' ? status : null;
          return [
            spec.dest,
            status.is,
            spec.carrier,
            up?.address ?? '',
            up?.cipher ?? '',
            up === null || up.rttMs === null ? '' : `${Math.round(up.rttMs)} ms`,
            up === null ? '' : formatSpan(now - Date.parse(up.since)),
            'error' in status ? status.error.message : spec.carrier === 'openssh' ? spec.why : '',
          ];
        }),
      );
    });
  declareSsh(
    program
      .command('host')
      .summary('show a host as ssh would resolve it')
      .description('Show one host as ssh would resolve it, which carrier it gets, and why.')
      .argument('<dest>', 'SSH host, as ssh takes it'),
  )
    .option('--json', 'print JSON')
    .action(async (dest: string, flags: SshFlags & { json?: boolean }) => {
      const overrides = sshFields(flags, placeOf(context));
      const report = await withEngine(context, (client) => client.call('host', { dest: destination(dest), overrides }));
      if (flags.json) return context.out.json(report);
      for (const [key, value] of Object.entries(report)) {
        for (const one of [value].flat()) context.out.print(`${key} ${safeText(one)}`);
      }
    });
}
