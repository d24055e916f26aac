import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from '../model/build.ts';
import { type Failure, SallyportError } from '../model/errors.ts';
import { type Home, homeFailure } from '../model/home.ts';
import { type Client, dialEngine } from './client.ts';

const startTimeoutMs = 15_000;
const helloTimeoutMs = 10_000;

export interface ConnectOptions {
  readonly home: Home;
  /** Whether to start an engine where none runs, and to replace one of another build. */
  readonly start: boolean;
  /** The engine's program. */
  readonly engineFile: string;
}

/** The engine's program beside the running one: both lie in the same folder of the build. */
export function engineBeside(program: string | undefined): string {
  return path.join(path.dirname(program ?? '.'), 'engine.js');
}

/**
 * Connects to the home's engine; starts one where none runs, and replaces one of another build.
 * @throws SallyportError `no_engine` (when not to start one) or `engine_start`
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { home, start } = options;
  const deadline = Date.now() + startTimeoutMs;
  let started: ReturnType<typeof launch> | null = null;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    const client = await dialEngine(home.socket);
    if (client !== null) {
      const ready = await greet(client, start);
      if (ready) return client;
    } else if (!start) {
      throw new SallyportError('no_engine', 'no engine runs for this home', 'start one with sallyport engine start');
    } else if (started === null) {
      started = launch(options);
      pauseMs = 10;
    } else if (started.exited()) {
      // Another engine may have won the race; then its socket answers in a moment. If not, this one failed.
      const why = started.why();
      if (why !== null) throw why;
      started = null;
    }
    if (Date.now() > deadline) {
      throw new SallyportError(
        'engine_start',
        `the engine did not answer within ${startTimeoutMs / 1000} s`,
        `see ${home.logFile}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Checks who answers; false when it is of another build, or on its way out, and will be gone in a moment. */
async function greet(client: Client, replace: boolean): Promise<boolean> {
  try {
    const hello = await Promise.race([client.call('hello', { build }), silence()]);
    if (hello.build === build || !replace) return true;
    await client.call('stop', { handover: true });
    await new Promise<void>((resolve) => client.onClose(resolve));
    return false;
  } catch (error) {
    client.close();
    if (error instanceof SallyportError && error.code === 'engine_gone') return false;
    throw error;
  }
}

/** An engine that accepts but never answers is hung; no command may hang with it. */
function silence(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => {
      reject(
        new SallyportError(
          'engine_start',
          'the engine does not answer',
          'end it: sallyport engine stop, or kill its process',
        ),
      );
    }, helloTimeoutMs).unref();
  });
}

/** Starts the engine, detached from this process and its terminal. */
function launch({ home, engineFile }: ConnectOptions) {
  const errorFile = path.join(path.dirname(home.logFile), 'start.log');
  const out = openForErrors(errorFile);
  const { SALLYPORT_HOME: own, ...others } = process.env;
  const child = spawn(process.execPath, [engineFile], {
    detached: true,
    stdio: ['ignore', 'ignore', out],
    cwd: '/',
    // It runs in another folder, where a relative home would be another one.
    env: own ? { ...others, SALLYPORT_HOME: home.dir } : others,
  });
  closeSync(out);
  child.on('error', () => {});
  child.unref();
  return {
    exited: () => child.exitCode !== null || child.signalCode !== null,
    /** What the engine said before it ended; null when it left in silence, because another one runs. */
    why: () => engineFailure(readFileSync(errorFile, 'utf8'), errorFile),
  };
}

function openForErrors(file: string): number {
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    return openSync(file, 'w', 0o600);
  } catch (error) {
    throw homeFailure(error);
  }
}

/**
 * Why an engine did not start, from what it said on standard error; null when it said nothing.
 * @param where what a person can look into
 */
export function engineFailure(said: string, where: string): SallyportError | null {
  const last = said.trim().split('\n').at(-1) ?? '';
  if (last === '') return null;
  try {
    return SallyportError.from(JSON.parse(last) as Failure);
  } catch {
    return new SallyportError('engine_start', `the engine did not start: ${last}`, `see ${where}`);
  }
}
