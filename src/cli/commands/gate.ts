import type { Command } from 'commander';
import { parseDuration, someTime } from '../../model/duration.ts';
import { formatSpan } from '../../present/quantity.ts';
import { safeText } from '../../present/sanitize.ts';
import { type Context, done, withEngine } from '../context.ts';

/** `open` and `close`: a trigger by hand. */
export function registerGate(program: Command, context: Context): void {
  program
    .command('open')
    .summary("open a trigger's ports by hand")
    .description("Open a trigger's ports for a host by hand, as if it had called.")
    .argument('<trigger>', 'its name')
    .requiredOption('--host <host>', 'the host inside to open for')
    .option('--for <duration>', "how long (default: the trigger's idle time)")
    .option('--json', 'print JSON')
    .action(async (name: string, flags: { host: string; for?: string; json?: boolean }) => {
      const forMs = flags.for === undefined ? undefined : parseDuration(someTime(flags.for));
      const opened = await withEngine(context, (client) =>
        client.call('openTrigger', { name, host: flags.host, forMs }),
      );
      if (flags.json) return context.out.json(opened);
      for (const { proto, ports, host, expiresAt } of opened) {
        const left = formatSpan(Date.parse(expiresAt) - Date.now());
        context.out.print(safeText(`${name}: ${proto} ${ports} open for ${host}, ${left} left`));
      }
    });
  program
    .command('close')
    .summary("close a trigger's ports by hand")
    .description('Close what a trigger has open; it stays armed.')
    .argument('<trigger>', 'its name')
    .action(async (name: string) => {
      await withEngine(context, (client) => client.call('closeTrigger', { name }));
      done(context, `closed ${name}`, { closed: name });
    });
}
