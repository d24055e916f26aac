import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { openDashboard } from '../dashboard.ts';

export function registerDemo(program: Command, context: Context): void {
  program
    .command('demo')
    .summary('see it at work, in a throw-away home')
    .description(
      'A dashboard over an embedded SSH server on this machine, with sample traffic, in a throw-away home.\nWithout a terminal, or with --check: sends real bytes through every kind of forward and exits 0 or 1.',
    )
    .option('--check', 'send real bytes through every kind, print a table')
    .option('--json', 'with --check: print JSON')
    .action(async (flags: { check?: boolean; json?: boolean }) => {
      const { stdin, stdout, engineFile, out } = context;
      const { runCheck, runShow } = await import('../../demo/main.ts');
      const interactive = stdin.isTTY === true && stdout.isTTY === true;
      context.exitCode =
        flags.check || flags.json || !interactive
          ? await runCheck({ engineFile, print: out.print, json: flags.json ? out.json : null })
          : await runShow({ engineFile, stdin, stdout, dashboard: openDashboard });
    });
}
