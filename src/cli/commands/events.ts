import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { SallyportError } from '../../model/errors.ts';
import type { EngineEvent, EventLevel } from '../../model/event.ts';
import { safeText } from '../../present/sanitize.ts';
import type { ColourRole } from '../../present/states.ts';
import { type Context, withEngine } from '../context.ts';
import { count } from '../flags/common.ts';
import type { Paint } from '../paint.ts';
import { endSignal } from '../signals.ts';

interface EventFlags {
  follow?: boolean;
  limit?: string;
  json?: boolean;
}

export function registerEvents(program: Command, context: Context): void {
  program
    .command('events')
    .summary('show what happened')
    .description(
      'Show what happened, oldest first; with -f go on until interrupted, also past a restart of the engine.',
    )
    .argument('[name]', 'only of this forward')
    .option('-f, --follow', 'go on with what happens')
    .option('-n, --limit <n>', 'at most so many of the past (default: 1000)')
    .option('--json', 'print one JSON object a line')
    .action(async (name: string | undefined, flags: EventFlags) => {
      const limit = flags.limit === undefined ? 1000 : count(flags.limit, '--limit');
      const show = (event: EngineEvent) => {
        const { at, level, forward, code, message } = event;
        if (flags.json) context.out.json({ at, level, forward, code, message });
        else context.out.print(eventLine(event, context.paint));
      };
      if (name !== undefined) await checkKnown(context, name);
      if (flags.follow) return follow(context, name, limit, show);
      for (const event of await withEngine(context, (client) => client.call('events', { forward: name, limit })))
        show(event);
    });
}

/** @throws SallyportError `not_found` for a name that neither is nor has been one */
function checkKnown(context: Context, name: string): Promise<void> {
  return withEngine(context, async (client) => {
    const events = await client.call('events', { forward: name, limit: 1 });
    if (events.length === 0) await client.call('show', { name });
  });
}

const roles: Readonly<Record<EventLevel, ColourRole>> = { debug: 'dim', info: 'plain', warn: 'busy', error: 'bad' };

export function eventLine({ at, level, forward, code, message }: EngineEvent, paint: Paint): string {
  const time = paint('dim', at.replace('T', ' ').replace(/\.\d+Z$/, 'Z'));
  return `${time}  ${paint(roles[level], level.padEnd(5))}  ${safeText(forward ?? '-')}  ${paint('dim', code)}  ${safeText(message)}`;
}

/** Prints past and coming events until a signal ends it; an engine that goes is waited for. */
async function follow(
  context: Context,
  name: string | undefined,
  limit: number,
  show: (event: EngineEvent) => void,
): Promise<void> {
  const ended = endSignal(context.signal);
  let last: Pick<EngineEvent, 'at' | 'seq'> | null = null;
  const fresh = (event: EngineEvent) =>
    (name === undefined || event.forward === name) &&
    (last === null || event.at > last.at || (event.at === last.at && event.seq > last.seq));
  const take = (event: EngineEvent) => {
    if (!fresh(event)) return;
    last = event;
    show(event);
  };
  for (let start = true; !ended.aborted; start = false) {
    const client = await reach(context, start);
    if (client === null) {
      await delay(250, undefined, { signal: ended }).catch(() => {});
      continue;
    }
    try {
      await listen(client, name, limit, take, ended);
    } catch (error) {
      if (!(error instanceof SallyportError && error.code === 'engine_gone')) throw error;
    } finally {
      client.close();
    }
  }
}

/** The engine; after the first time it is not started, only waited for, so that `engine stop` stays stopped. */
async function reach(context: Context, start: boolean): Promise<Client | null> {
  try {
    return await context.engine({ start });
  } catch (error) {
    if (!start && error instanceof SallyportError && (error.code === 'no_engine' || error.code === 'engine_gone'))
      return null;
    throw error;
  }
}

async function listen(
  client: Client,
  name: string | undefined,
  limit: number,
  take: (event: EngineEvent) => void,
  ended: AbortSignal,
): Promise<void> {
  let early: EngineEvent[] | null = [];
  client.on('event', (event) => {
    if (early === null) take(event);
    else early.push(event);
  });
  await client.call('watch', {});
  for (const event of await client.call('events', { forward: name, limit })) take(event);
  for (const event of early) take(event);
  early = null;
  await new Promise<void>((resolve) => {
    client.onClose(resolve);
    client.on('bye', () => resolve());
    // A slow reader missed something: asking again fetches it.
    client.on('resync', () => resolve());
    ended.addEventListener('abort', () => resolve(), { once: true });
    if (ended.aborted) resolve();
  });
}
