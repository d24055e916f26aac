import os from 'node:os';
import type { Command } from 'commander';
import { SallyportError } from '../../model/errors.ts';
import { presets } from '../../model/presets.ts';
import { triggerPresets } from '../../model/trigger-presets.ts';
import { sshHostNames } from '../../ui/ssh-hosts.ts';
import { type Candidates, complete, type NameKind } from '../complete.ts';
import { readConfigFile } from '../config-file.ts';
import { type Context, withEngine } from '../context.ts';
import { shells } from '../shells.ts';

export function registerCompletion(program: Command, context: Context): void {
  program
    .command('completion')
    .summary('completion for your shell')
    .description('Print the completion script of a shell, to be sourced by its start file.')
    .argument('<shell>', Object.keys(shells).join(', '))
    .action((shell: string) => {
      const script = shells[shell];
      if (script === undefined) {
        throw new SallyportError(
          'usage',
          `completion: no shell "${shell}"`,
          `one of ${Object.keys(shells).join(', ')}`,
        );
      }
      context.out.print(script);
    });
  // What the scripts call: the words so far, the last one being typed; one candidate a line, or `:files`.
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const found = complete(program, words);
      for (const candidate of await candidates(context, found)) context.out.print(candidate);
      if (found.files) context.out.print(':files');
    });
}

async function candidates(context: Context, { words, names, typed }: Candidates): Promise<string[]> {
  const dynamic = names === null ? [] : await knownNames(context, names).catch(() => []);
  return [...words, ...dynamic].filter((word) => word.startsWith(typed));
}

async function knownNames(context: Context, kind: NameKind): Promise<string[]> {
  if (kind === 'preset') return [...presets, ...triggerPresets].map(({ name }) => name);
  if (kind !== 'host') return ownNames(context, kind);
  const configured = sshHostNames(context.env.HOME || os.homedir());
  return [...new Set([...(await ownNames(context, kind)), ...configured])];
}

/** Names as the engine, where one runs, or the file has them: a tab never starts an engine. */
async function ownNames(context: Context, kind: Exclude<NameKind, 'preset'>): Promise<string[]> {
  try {
    return await withEngine(
      context,
      async (client) => {
        if (kind === 'flow') return (await client.call('flows', {})).map(({ id }) => id);
        if (kind === 'host') return (await client.call('hosts', {})).map(({ spec }) => spec.dest);
        if (kind === 'session') return Object.keys((await client.call('watch', {})).snapshot.sessions);
        const views = await client.call('list', {});
        return views.filter((view) => kind === 'forward' || view.kind === 'trigger').map(({ name }) => name);
      },
      { start: false },
    );
  } catch {
    const { forwards, sessions } = await readConfigFile(context.home);
    if (kind === 'flow') return [];
    if (kind === 'session') return Object.keys(sessions);
    if (kind === 'host') return forwards.flatMap((forward) => ('host' in forward ? [forward.host] : []));
    return forwards.filter((forward) => kind === 'forward' || forward.kind === 'trigger').map(({ name }) => name);
  }
}
