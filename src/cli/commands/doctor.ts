import type { Command } from 'commander';
import { toFailure } from '../../model/errors.ts';
import { safeText } from '../../present/sanitize.ts';
import { type Context, withEngine } from '../context.ts';
import { type Check, machineChecks } from '../doctor.ts';
import { exitCodes } from '../exit.ts';

const glyphs = { good: '●', note: '▲', bad: '✖' } as const;
const roles = { good: 'good', note: 'busy', bad: 'bad' } as const;

export function registerDoctor(program: Command, context: Context): void {
  program
    .command('doctor')
    .summary('look for what is missing or wrong')
    .description('Look at this machine and the engine for what is missing or wrong. Exits 1 when something is wrong.')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const checks = [...(await machineChecks(context)), ...(await engineChecks(context))];
      if (checks.some(({ is }) => is === 'bad')) context.exitCode = exitCodes.failed;
      if (json) return context.out.json(checks);
      const width = Math.max(...checks.map(({ check }) => check.length));
      for (const { check, is, detail, hint } of checks) {
        context.out.print(`${context.paint(roles[is], glyphs[is])} ${check.padEnd(width)}  ${safeText(detail)}`);
        if (hint !== '' && is !== 'good') context.out.print(`  ${' '.repeat(width)}  try: ${safeText(hint)}`);
      }
    });
}

/** What the engine says about itself and the machine. */
async function engineChecks(context: Context): Promise<Check[]> {
  try {
    return await withEngine(context, async (client) => {
      const { pid, version } = await client.call('status', {});
      const { snapshot } = await client.call('watch', {});
      return [
        { check: 'engine', is: 'good', detail: `${version}, pid ${pid}, log ${context.home.logFile}`, hint: '' },
        ...snapshot.warnings.map(
          ({ code, level, message, hint }): Check => ({
            check: code,
            is: level === 'high' ? 'bad' : 'note',
            detail: message,
            hint,
          }),
        ),
      ];
    });
  } catch (error) {
    const { message, hint } = toFailure(error);
    return [{ check: 'engine', is: 'bad', detail: message, hint }];
  }
}
