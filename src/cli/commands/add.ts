import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { type Context, withEngine } from '../context.ts';
import type { Place } from '../paths.ts';
import { settle } from '../prompts.ts';
import { type AddFlags, declareAdd, type NewForwards, readAdd } from '../requests/add.ts';
import { showChanged } from '../views.ts';

export function registerAdd(program: Command, context: Context): void {
  const command = program
    .command('add')
    .summary('make an SSH tunnel')
    .description('Make an SSH tunnel, or several: each -L, -R and -D makes one.');
  const typed = declareAdd(command);
  command.action(async (name: string, dest: string, more: string[], flags: AddFlags) => {
    const { Forward } = await import('../../model/config.ts');
    await store(context, readAdd({ name, dest, more, typed }, flags, placeOf(context), Forward));
  });
}

export function placeOf(context: Context): Place {
  return { cwd: context.cwd, userHome: context.env.HOME ?? context.cwd, now: new Date() };
}

/** Hands new forwards to the engine, all or none, and shows what has become of them. */
export async function store(context: Context, request: NewForwards): Promise<void> {
  await withEngine(context, async (client) => {
    const names = await client.call('add', { forwards: [...request.forwards], up: request.up });
    const views = request.up
      ? await settle(context, client, names, request.waitMs, !request.json)
      : await viewsNamed(client, names);
    showChanged(context, views, request.json, request.up);
  });
}

async function viewsNamed(client: Client, names: readonly string[]) {
  const views = await client.call('list', {});
  return views.filter(({ name }) => names.includes(name));
}
