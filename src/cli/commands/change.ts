import type { Command } from 'commander';
import { safeText } from '../../present/sanitize.ts';
import { type Context, withEngine } from '../context.ts';
import { waitMs } from '../flags/common.ts';
import { settle } from '../prompts.ts';
import { declareSelection, readSelection, type SelectFlags } from '../select.ts';
import { showChanged } from '../views.ts';

const standardSeconds = 15;

/** `up`, `down`, `restart` and `rm`. */
export function registerChange(program: Command, context: Context): void {
  for (const verb of ['up', 'restart'] as const) {
    const summary = verb === 'up' ? 'start forwards, and wait until they are up' : 'stop and start forwards';
    declareSelection(program.command(verb).description(summary))
      .option('--wait <seconds>', `how long to wait (default: ${standardSeconds})`)
      .action(async (names: string[], flags: SelectFlags) => {
        const selection = readSelection(verb, names, flags);
        const timeoutMs = waitMs(flags.wait, standardSeconds);
        await withEngine(context, async (client) => {
          const started = await client.call(verb, selection);
          const views = await settle(context, client, started, timeoutMs, !flags.json);
          showChanged(context, views, flags.json === true, true);
        });
      });
  }
  declareSelection(program.command('down').description('stop forwards; they stay in the configuration'))
    .option('--wait <seconds>', 'how long to wait for them to end (default: 5)')
    .action(async (names: string[], flags: SelectFlags) => {
      const selection = readSelection('down', names, flags);
      const timeoutMs = waitMs(flags.wait, 5);
      await withEngine(context, async (client) => {
        const stopped = await client.call('down', selection);
        showChanged(context, await settle(context, client, stopped, timeoutMs, false), flags.json === true, false);
      });
    });
  declareSelection(program.command('rm').description('stop forwards and delete them; undo brings them back'))
    .option('--wait <seconds>', 'accepted for symmetry: rm is done when it returns')
    .action(async (names: string[], flags: SelectFlags) => {
      const selection = readSelection('rm', names, flags);
      waitMs(flags.wait, 0);
      await withEngine(context, async (client) => {
        const before = flags.json ? await client.call('list', {}) : [];
        const removed = await client.call('remove', selection);
        if (flags.json) context.out.json(before.filter(({ name }) => removed.includes(name)));
        else for (const name of removed) context.out.print(`removed ${safeText(name)}`);
      });
    });
}
