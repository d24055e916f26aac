import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Config } from '../../model/config.ts';
import { SallyportError, systemReason } from '../../model/errors.ts';
import { configuredListen, configuredTarget } from '../../model/snapshot.ts';
import { safeText } from '../../present/sanitize.ts';
import type { ImportPlan, Params } from '../../protocol/methods.ts';
import { readConfigFile } from '../config-file.ts';
import { type Context, withEngine } from '../context.ts';
import { absolutePath } from '../paths.ts';
import { placeOf } from './add.ts';

type ImportRequest = Params<'import'>;

export function registerImport(program: Command, context: Context): void {
  program
    .command('import')
    .summary('take forwards over from elsewhere')
    .description(
      'Take forwards over: from ssh_config (the *Forward lines), from a file that export wrote, or from a command line of ssh or autossh.',
    )
    .usage('[options] ssh-config [FILE] | FILE | -- ssh ARGS…')
    .argument('[words...]', 'ssh-config [FILE], FILE (- is standard input), or -- and an ssh or autossh command line')
    .option('--dry-run', 'only say what would change')
    .option('--json', 'print JSON')
    .action(async (words: string[], flags: { dryRun?: boolean; json?: boolean }) => {
      const request = readImport(words, context.argv.includes('--'), (file) => absolutePath(file, placeOf(context)));
      const plan = await withEngine(context, (client) =>
        client.call('import', { ...request, dryRun: flags.dryRun === true }),
      );
      if (flags.json) return context.out.json(plan);
      const lines = planLines(plan, flags.dryRun === true);
      for (const line of lines.length === 0 ? ['nothing to import: no forwards there'] : lines) context.out.print(line);
    });
  program
    .command('export')
    .summary('print the configuration')
    .description('Print the configuration as import reads it, or write it to a file. Never starts an engine.')
    .argument('[file]', 'written with mode 0600')
    .option('--json', 'accepted: it is JSON anyway')
    .action(async (file: string | undefined) => {
      const text = JSON.stringify(await presentConfig(context), null, 2);
      if (file === undefined || file === '-') return context.out.print(text);
      writeWhole(absolutePath(file, placeOf(context)), `${text}\n`);
    });
}

/**
 * Writes the file whole, or leaves what is there: it may be the last backup.
 * @throws SallyportError `config_write`
 */
function writeWhole(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.new`;
  try {
    // A device, a pipe or a link is written through.
    if (lstatSync(file, { throwIfNoEntry: false })?.isFile() === false) writeFileSync(file, text);
    else {
      writeFileSync(fresh, text, { mode: 0o600 });
      renameSync(fresh, file);
    }
  } catch (cause) {
    rmSync(fresh, { force: true });
    const { code } = cause as NodeJS.ErrnoException;
    const hint = 'name a file in a folder of yours that has room';
    throw new SallyportError('config_write', `cannot write ${file}: ${code}`, hint, { cause });
  }
}

/**
 * @param dashes whether `--` stood before the words
 * @throws SallyportError `usage`, or `config_invalid` for a file that cannot be read
 */
function readImport(words: readonly string[], dashes: boolean, absolute: (file: string) => string): ImportRequest {
  const [first, second, ...rest] = words;
  if (first === undefined) {
    throw new SallyportError(
      'usage',
      'import: nothing to import is named',
      'sallyport import ssh-config, sallyport import FILE or sallyport import -- ssh ARGS',
    );
  }
  if (dashes) return { from: 'ssh', args: [...words], cwd: absolute('.') };
  if (first === 'ssh-config' && rest.length === 0) {
    return second === undefined ? { from: 'ssh-config' } : { from: 'ssh-config', file: absolute(second) };
  }
  if (second !== undefined) {
    throw new SallyportError(
      'usage',
      'import: one file at a time',
      'an ssh command line goes after --, as sallyport import -- ssh ARGS',
    );
  }
  try {
    return { from: 'sallyport', text: readFileSync(first === '-' ? 0 : absolute(first), 'utf8') };
  } catch (cause) {
    throw new SallyportError(
      'config_invalid',
      `cannot read ${first}: ${systemReason(cause)}`,
      'name a file that sallyport export wrote',
      { cause },
    );
  }
}

function planLines({ add, change, same, skipped }: ImportPlan, dryRun: boolean): string[] {
  const [added, changed] = dryRun ? ['would add', 'would change'] : ['added', 'changed'];
  return [
    ...add.map(
      (forward) =>
        `${added} ${forward.name}: ${forward.kind} ${configuredListen(forward)}${'host' in forward ? ` via ${forward.host}` : ''} to ${configuredTarget(forward) ?? 'any'}`,
    ),
    ...change.map(({ name, what }) => `${changed} ${name}: ${what.join(', ')}`),
    ...same.map((name) => `as it is: ${name}`),
    ...skipped.map(({ what, why }) => `skipped ${what}: ${why}`),
  ].map(safeText);
}

/** The configuration from the engine where one runs, which is the newest word; else from its file. */
async function presentConfig(context: Context): Promise<Config> {
  try {
    return await withEngine(
      context,
      async (client) => {
        const { snapshot } = await client.call('watch', {});
        const { settings, sessions, order, forwards } = snapshot;
        return {
          version: 1,
          settings,
          sessions,
          forwards: order.flatMap((name) => forwards[name]?.config ?? []),
        };
      },
      { start: false },
    );
  } catch (error) {
    if (!(error instanceof SallyportError && error.code === 'no_engine')) throw error;
    return readConfigFile(context.home);
  }
}
