import os from 'node:os';
import path from 'node:path';
import { SallyportError } from './errors.ts';

/** The folders of one engine; two homes never meet. */
export interface Home {
  /** What a person calls it: the folder of the config file. */
  readonly dir: string;
  readonly configDir: string;
  /** Traffic totals, router nonces: what must survive but is nobody's to edit. */
  readonly stateDir: string;
  /** Names the newest of the engine's log files. */
  readonly logFile: string;
  /** Sockets; private to the user. */
  readonly runDir: string;
  readonly socket: string;
}

/** Longest path a Unix socket can have on every system (108 bytes with the closing zero on Linux, 104 on others). */
const socketPathMax = 100;

/**
 * Where everything lies: below `SALLYPORT_HOME` where that is set, else in the XDG base directories.
 * @param env environment, as of the process
 */
export function findHome(env: NodeJS.ProcessEnv): Home {
  const userHome = env.HOME || os.homedir();
  const own = env.SALLYPORT_HOME ? path.resolve(env.SALLYPORT_HOME) : null;
  const xdg = (name: string, fallback: string) => {
    const dir = env[name];
    return path.join(dir && path.isAbsolute(dir) ? dir : path.join(userHome, fallback), 'sallyport');
  };
  const configDir = own ?? xdg('XDG_CONFIG_HOME', '.config');
  const stateDir = own === null ? xdg('XDG_STATE_HOME', '.local/state') : path.join(own, 'state');
  const runDir =
    own === null && env.XDG_RUNTIME_DIR ? path.join(env.XDG_RUNTIME_DIR, 'sallyport') : path.join(stateDir, 'run');
  return {
    dir: configDir,
    configDir,
    stateDir,
    logFile: path.join(stateDir, 'log', 'current.log'),
    runDir: shortEnough(runDir) ? runDir : shortRunDir(runDir),
    socket: path.join(shortEnough(runDir) ? runDir : shortRunDir(runDir), 'engine.sock'),
  };
}

// The carriers' sockets lie in folders below, so some room is left for their names.
const shortEnough = (runDir: string) => Buffer.byteLength(runDir) <= socketPathMax - 45;

function shortRunDir(runDir: string): string {
  // Every command finds its home, and few have so deep a one: loading node:crypto takes 8 ms.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const digest = createHash('sha256').update(runDir).digest('hex').slice(0, 12);
  return path.join('/tmp', `sallyport-${os.userInfo().uid}-${digest}`);
}

/** A complaint of the system about one of the home's files, for a person; any other error is given back as it is. */
export function homeFailure(error: unknown): unknown {
  const { code, path: file, address, message } = error as NodeJS.ErrnoException & { address?: string };
  const place = file ?? address;
  if (place === undefined || code === undefined || !/^E[A-Z]+$/.test(code)) return error;
  const why = /^\w+: ([^,]+),/.exec(message)?.[1] ?? code;
  return new SallyportError(
    'engine_start',
    `cannot use ${place}: ${why}`,
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'make room there, or set SALLYPORT_HOME to a folder that has some'
      : 'set SALLYPORT_HOME to a folder of yours that can be written',
    { cause: error },
  );
}
