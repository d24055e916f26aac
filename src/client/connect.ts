import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from '../model/build.ts';
import { type Failure, SallyportError } from '../model/errors.ts';
import { type Home, homeFailure } from '../model/home.ts';
import { type Client, dialEngine } from './client.ts';

const startTimeoutMs = 15_000;
const helloTimeoutMs = 10_000;
/** How long a service manager may take to start the next engine. */
const successorMs = 5000;

export interface ConnectOptions {
  readonly home: Home;
  /** Whether to start an engine where none runs, and to replace one of another build. */
  readonly start: boolean;
  /** The engine's program. */
  readonly engineFile: string;
  /** The user's systemd unit that runs this home's engine; none where the engine is to be started from here. */
  readonly unit?: string | null;
  /** Whether to replace the engine that runs, whatever its build. */
  readonly renew?: boolean;
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
  let { renew = false, unit = null } = options;
  const deadline = Date.now() + startTimeoutMs;
  let started: Start | null = null;
  let successorBy = 0;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    const client = await dialEngine(home.socket);
    if (client !== null) {
      const { is, pid } = await greet(client, start, renew);
      if (is === 'ready') {
        started?.unless(pid);
        return client;
      }
      renew = false;
      if (is === 'followed') successorBy = Date.now() + successorMs;
    } else if (!start) {
      throw new SallyportError('no_engine', 'no engine runs for this home', 'start one with sallyport engine start');
    } else if (started === null) {
      if (Date.now() >= successorBy) {
        started = unit === null ? launch(options) : startUnit(unit);
        unit = null;
        pauseMs = 10;
      }
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

interface Answer {
  /** One to work with, one that has gone, or one that has gone and is followed by what runs it as a service. */
  readonly is: 'ready' | 'gone' | 'followed';
  readonly pid: number | null;
}

async function greet(client: Client, replace: boolean, renew: boolean): Promise<Answer> {
  try {
    const { pid, supervised, ...hello } = await Promise.race([client.call('hello', { build }), silence()]);
    if (!renew && (hello.build === build || !replace)) return { is: 'ready', pid };
    await client.call('stop', { handover: true });
    await new Promise<void>((resolve) => client.onClose(resolve));
    return { is: supervised ? 'followed' : 'gone', pid };
  } catch (error) {
    client.close();
    if (error instanceof SallyportError && error.code === 'engine_gone') return { is: 'gone', pid: null };
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

/** A start that is under way. */
interface Start {
  /** Whether nothing more is to be expected of it. */
  exited(): boolean;
  /** What the engine said before it ended; null when it left in silence, because another one runs. */
  why(): SallyportError | null;
  /** Ends the engine this started if another one, of this process id, answers: a late one could outlive that. */
  unless(pid: number | null): void;
}

/** Has systemd start the engine, so that it goes on watching over it; where it can't, the engine is started from here. */
function startUnit(unit: string): Start {
  const child = spawn('systemctl', ['--user', 'start', unit], { stdio: 'ignore' });
  let refused = false;
  child.on('error', () => {
    refused = true;
  });
  child.on('exit', (code) => {
    refused = code !== 0;
  });
  child.unref();
  return { exited: () => refused, why: () => null, unless: () => {} };
}

/** Starts the engine, detached from this process and its terminal. */
function launch({ home, engineFile }: ConnectOptions): Start {
  const errorFile = path.join(path.dirname(home.logFile), 'start.log');
  const out = openForErrors(errorFile);
  // Whoever runs this command as a service does not run the engine.
  const { SALLYPORT_HOME: own, SYSTEMD_EXEC_PID: _service, ...others } = process.env;
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
    unless: (pid) => {
      if (pid !== child.pid) child.kill();
    },
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
