import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { SallyportError } from '../../model/errors.ts';
import { nearestName } from '../../model/names.ts';
import { formatRate } from '../../present/quantity.ts';
import { safeText } from '../../present/sanitize.ts';
import { type Context, tableWidth, withEngine } from '../context.ts';
import { viewTable } from '../views.ts';

export function registerLs(program: Command, context: Context): void {
  program
    .command('ls')
    .alias('list')
    .summary('list the forwards')
    .description('List the forwards with state, endpoints, traffic and, where one is not up, the reason.')
    .option('--session <session>', 'only of this session')
    .option('--json', 'print JSON')
    .action(async ({ json, session }: { json?: boolean; session?: string }) => list(context, json === true, session));
}

/** What `sallyport ls` does, and `sallyport` alone where there is no terminal. */
export async function list(context: Context, json: boolean, session?: string): Promise<void> {
  const { out, paint } = context;
  const views = await withEngine(context, async (client) => {
    const all = await client.call('list', {});
    if (session === undefined) return all;
    const own = all.filter((view) => view.session === session);
    if (own.length === 0) await checkSession(client, session);
    return own;
  });
  if (json) return out.json(views);
  if (views.length === 0) {
    out.print(
      session === undefined
        ? 'no forwards yet; sallyport add --help shows how to make one'
        : `no forwards in session ${safeText(session)}`,
    );
    return;
  }
  for (const line of viewTable(views, tableWidth(context), paint, new Date())) out.print(line);
  const [rx, tx] = [
    views.reduce((sum, { rxRate }) => sum + rxRate, 0),
    views.reduce((sum, { txRate }) => sum + txRate, 0),
  ];
  if (rx + tx > 0 && context.stdout.isTTY) out.print(paint('dim', `▼ ${formatRate(rx)}  ▲ ${formatRate(tx)}`));
}

/** @throws SallyportError `not_found` */
async function checkSession(client: Client, name: string): Promise<void> {
  const { sessions } = (await client.call('watch', {})).snapshot;
  if (Object.hasOwn(sessions, name)) return;
  const near = nearestName(name, Object.keys(sessions));
  throw new SallyportError(
    'not_found',
    `no session is called ${name}`,
    near === null ? 'sallyport sessions shows them' : `did you mean ${near}?`,
  );
}
