// A place where a trigger can be tried out: two inside hosts, one outside, and the program in the middle.
import type { EngineEvent } from '../../src/model/event.ts';
import type { ForwardView, Opening } from '../../src/model/snapshot.ts';
import type { Ran } from './program.ts';
import { until } from './until.ts';

export type Inside = 'first' | 'second';

export interface Ground {
  /** Addresses of the inside hosts. */
  readonly address: Readonly<Record<Inside, string>>;
  /** `--on`, `--open`, `--via` and what else the way of opening takes. */
  readonly flags: readonly string[];
  run(words: readonly string[]): Promise<Ran>;
  /** An inside host makes a call on a trigger port, which is over at once; throws when it does not get through. */
  call(host: Inside): Promise<void>;
  /** A connection from outside to the opened port: the inside host that answered, null where it is refused. */
  inbound(): Promise<Inside | null>;
}

export async function must(ground: Pick<Ground, 'run'>, ...words: string[]): Promise<Ran> {
  const ran = await ground.run(words);
  if (ran.code !== 0) throw new Error(`sallyport ${words.join(' ')}: exit ${ran.code}: ${ran.stderr}`);
  return ran;
}

export const show = async (ground: Ground, name = 'irc') =>
  (await must(ground, 'show', name, '--json')).json<ForwardView>();

export const opened = async (ground: Ground, name = 'irc'): Promise<readonly Opening[]> =>
  (await show(ground, name)).opened;

/** Milliseconds until it closes, as the program says; 0 when nothing is open. */
export async function left(ground: Ground): Promise<number> {
  const [first] = await opened(ground);
  return first === undefined ? 0 : Date.parse(first.expiresAt) - Date.now();
}

export const events = async (ground: Ground, name = 'irc'): Promise<EngineEvent[]> =>
  (await must(ground, 'events', name, '--json')).stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EngineEvent);

/** `trigger_opened 192.168.77.10` and the like, in order. */
export const story = async (ground: Ground): Promise<string[]> =>
  (await events(ground)).flatMap(({ code, message }) => {
    const host = /for (\S+):/.exec(message)?.[1];
    return code.startsWith('trigger_') && host !== undefined ? [`${code.slice('trigger_'.length)} ${host}`] : [];
  });

export const answers = (ground: Ground, host: Inside | null) =>
  until(`${host ?? 'nobody'} to answer from outside`, async () => (await ground.inbound()) === host);
