import type { Command } from 'commander';
import { type Context, done, withEngine } from '../context.ts';
import { printTable } from '../views.ts';

export function registerSessions(program: Command, context: Context): void {
  const sessions = program
    .command('sessions')
    .summary('list, rename and delete sessions')
    .description('List the sessions: named sets of forwards.')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { snapshot, views } = await withEngine(context, async (client) => ({
        views: await client.call('list', {}),
        snapshot: (await client.call('watch', {})).snapshot,
      }));
      const rows = Object.entries(snapshot.sessions).map(([name, { note }]) => {
        const own = views.filter(({ session }) => session === name);
        return { name, note, forwards: own.length, up: own.filter(({ state }) => state === 'up').length };
      });
      if (json) return context.out.json(rows);
      printTable(
        context,
        [
          { title: 'SESSION' },
          { title: 'FORWARDS', align: 'right' },
          { title: 'UP', align: 'right' },
          { title: 'NOTE', min: 8, optional: true },
        ],
        rows.map(({ name, note, forwards, up }) => [name, String(forwards), String(up), note]),
      );
    });
  sessions
    .command('rename')
    .description('give a session another name')
    .argument('<session>')
    .argument('<new-name>')
    .action(async (name: string, rename: string) => {
      await withEngine(context, (client) => client.call('saveSession', { name, rename }));
      done(context, `${name} is now ${rename}`, { name: rename });
    });
  sessions
    .command('note')
    .description('make a session, or change its note')
    .argument('<session>')
    .argument('<text>')
    .action(async (name: string, note: string) => {
      await withEngine(context, (client) => client.call('saveSession', { name, note }));
    });
  sessions
    .command('rm')
    .description('delete a session; one that still has forwards is kept')
    .argument('<session>')
    .action(async (name: string) => {
      await withEngine(context, (client) => client.call('removeSession', { name }));
      done(context, `removed ${name}`, { removed: name });
    });
  program
    .command('undo')
    .description('take the last change of the configuration back')
    .action(async () => {
      const { undone } = await withEngine(context, (client) => client.call('undo', {}));
      done(context, `took back: ${undone}`, { undone });
    });
}
