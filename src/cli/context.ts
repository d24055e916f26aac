import type { Client } from '../client/client.ts';
import { connect } from '../client/connect.ts';
import type { Home } from '../model/home.ts';
import { safeText } from '../present/sanitize.ts';
import type { Output } from './output.ts';
import { colours, type Paint } from './paint.ts';
import { installedUnit } from './unit.ts';

export interface EngineWish {
  readonly start?: boolean;
  readonly renew?: boolean;
}

/** What a command works with; made once in main. */
export interface Context {
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly argv: readonly string[];
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly out: Output;
  readonly paint: Paint;
  /** The engine's program. */
  readonly engineFile: string;
  /** Whether the command line asks for JSON, errors included. */
  readonly json: boolean;
  /** Set by the command that ran. */
  exitCode: number;
  /** The command that runs, as `engine stop`; empty before one does. */
  running: string;
  /** Aborts when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** Connects to the engine, and starts one where none runs unless `start` is false; `renew` replaces the one that runs. */
  engine(options?: EngineWish): Promise<Client>;
}

export interface Surroundings extends Omit<Context, 'engine' | 'paint' | 'exitCode' | 'running' | 'json'> {}

export function contextFrom(surroundings: Surroundings): Context {
  const { home, engineFile, stdout, env } = surroundings;
  return {
    ...surroundings,
    paint: colours(stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'),
    exitCode: 0,
    running: '',
    json: wantsJson(surroundings.argv),
    engine: ({ start = true, renew = false } = {}) =>
      connect({ home, engineFile, start, renew, unit: installedUnit({ env, home }) }),
  };
}

/** Words after `--` are another program's. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

/** Says that something is done: a line for people, a value for programs. */
export function done({ out, json }: Context, line: string, value: unknown): void {
  if (json) out.json(value);
  else out.print(safeText(line));
}

/** Runs `work` with a connection that is closed after it, whatever comes. */
export async function withEngine<T>(
  context: Context,
  work: (client: Client) => Promise<T>,
  options?: EngineWish,
): Promise<T> {
  const client = await context.engine(options);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** The width tables may take: the terminal's, or none outside a terminal, so that nothing is cut in a file. */
export function tableWidth(context: Context): number | null {
  return context.stdout.isTTY ? context.stdout.columns || 80 : null;
}

/** Whether a person sits at both ends, so that a question can be asked. */
export function canAsk(context: Context): boolean {
  return context.stdin.isTTY === true && context.stderr.isTTY === true;
}
