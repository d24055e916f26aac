import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { engineFailure } from '../../client/connect.ts';
import { SallyportError } from '../../model/errors.ts';
import { formatBytes, formatSpan } from '../../present/quantity.ts';
import { type Context, done, withEngine } from '../context.ts';
import { installUnit, uninstallUnit } from '../systemd.ts';

export function registerEngine(program: Command, context: Context): void {
  const engine = program
    .command('engine')
    .summary('the background process')
    .description('The background process that holds the forwards. Commands start it where none runs.');
  engine
    .command('run')
    .description('run it in the foreground, as a service manager wants it')
    .action(() => run(context));
  engine
    .command('start')
    .description('start it, where none runs')
    .action(async () => {
      const { pid } = await withEngine(context, (client) => client.call('status', {}));
      done(context, `engine runs, pid ${pid}`, { pid });
    });
  engine
    .command('stop')
    .description('end it: flows, listeners, kernel rules and router leases go; the next start brings back what was up')
    .action(async () => {
      await stop(context);
      done(context, 'engine stopped', { stopped: true });
    });
  engine
    .command('restart')
    .description('start it anew; kernel rules go on working meanwhile')
    .action(async () => {
      const { pid } = await withEngine(context, (client) => client.call('status', {}), { renew: true });
      done(context, `engine runs, pid ${pid}`, { pid });
    });
  engine
    .command('status')
    .description('whether it runs; exits 3 where none does')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const status = await withEngine(context, (client) => client.call('status', {}), { start: false });
      const { pid, version, uptime, home, socket, forwards, rss } = status;
      if (json) return context.out.json({ pid, version, uptime, home, socket, forwards, rss });
      const { out } = context;
      const counts = Object.entries(forwards).map(([state, n]) => `${n} ${state}`);
      out.print(`engine    ${version}, pid ${pid}, up ${formatSpan(uptime * 1000)}, ${formatBytes(rss)} of memory`);
      out.print(`home      ${home}`);
      out.print(`socket    ${socket}`);
      out.print(`log       ${context.home.logFile}`);
      out.print(`forwards  ${counts.length === 0 ? 'none' : counts.join(', ')}`);
    });
  engine
    .command('install')
    .description('start it at boot: a systemd unit of this user')
    .action(async () => {
      // The engine that runs hands over to the unit's, which could not start beside it.
      const makeRoom = () => stop(context, { handover: true }).catch(unlessNone);
      for (const line of await installUnit(context, makeRoom)) context.out.print(line);
      const { pid } = await withEngine(context, (client) => client.call('status', {}));
      context.out.print(`engine runs, pid ${pid}`);
    });
  engine
    .command('uninstall')
    .description('take the systemd unit away and end the engine; nothing is left running')
    .action(async () => {
      for (const line of await uninstallUnit(context)) context.out.print(line);
      await stop(context).catch(unlessNone);
      await clear(context);
      context.out.print('no engine runs');
    });
}

function unlessNone(error: unknown): void {
  if (!(error instanceof SallyportError && error.code === 'no_engine')) throw error;
}

/** Ends the engine and waits until it has gone. */
async function stop(context: Context, { handover = false } = {}): Promise<void> {
  const client = await context.engine({ start: false });
  const gone = new Promise<void>((resolve) => client.onClose(resolve));
  try {
    await client.call('stop', { handover }).catch((error: unknown) => {
      if (!(error instanceof SallyportError && error.code === 'engine_gone')) throw error;
    });
    await gone;
  } finally {
    client.close();
  }
}

/** Takes away what a killed engine has left: kernel rules, router leases. */
async function clear({ engineFile, env, home }: Context): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [engineFile, 'clear'], { env, timeout: 60_000 });
  } catch (error) {
    throw engineFailure(String((error as { stderr?: unknown }).stderr ?? ''), home.logFile) ?? error;
  }
}

/** Becomes the engine: what a service manager started is what it watches. */
function run({ engineFile, env, json }: Context): void {
  const words = [process.execPath, engineFile, 'run', ...(json ? ['--json'] : [])];
  process.execve?.(process.execPath, words, env as Record<string, string>);
  throw new SallyportError('unsupported', 'engine run: this Node.js cannot become another program', 'use Node.js 24');
}
