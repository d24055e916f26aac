import type { Command } from 'commander';
import { formatBytes, formatSpan } from '../../present/quantity.ts';
import { type Context, done, withEngine } from '../context.ts';
import { printTable } from '../views.ts';

export function registerFlows(program: Command, context: Context): void {
  program
    .command('flows')
    .summary('list the connections going through')
    .description('List the connections going through, of all forwards or of one, with who made them.')
    .argument('[name]', 'the forward')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, { json }: { json?: boolean }) => {
      const flows = await withEngine(context, (client) => client.call('flows', { forward: name }));
      if (json) {
        context.out.json(
          flows.map(({ id, forward, peer, target, rx, tx, since, user, pid }) => ({
            id,
            forward,
            peer,
            target,
            rx,
            tx,
            since,
            user,
            pid,
          })),
        );
        return;
      }
      if (flows.length === 0) return context.out.print('no flows');
      printTable(
        context,
        [
          { title: 'FLOW' },
          { title: 'FORWARD', min: 8, drop: 3 },
          { title: 'PEER', min: 12 },
          { title: 'TARGET', min: 12 },
          { title: '▼', align: 'right' },
          { title: '▲', align: 'right' },
          { title: 'AGE', align: 'right', drop: 4 },
          { title: 'USER', optional: true, drop: 2 },
          { title: 'PID', align: 'right', optional: true, drop: 1 },
        ],
        flows.map((flow) => [
          flow.id,
          flow.forward,
          flow.peer,
          flow.target,
          formatBytes(flow.rx),
          formatBytes(flow.tx),
          formatSpan(Date.now() - Date.parse(flow.since)),
          flow.user ?? '',
          flow.pid === null ? '' : String(flow.pid),
        ]),
      );
    });
  program
    .command('kill')
    .description('end one connection')
    .argument('<flow>', 'its id, as flows shows it')
    .action(async (flow: string) => {
      await withEngine(context, (client) => client.call('kill', { flow }));
      done(context, `ended ${flow}`, { ended: flow });
    });
}
