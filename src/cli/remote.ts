// `--engine ssh://DEST COMMAND`: the command runs on the other machine, against the engine there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SallyportError } from '../model/errors.ts';
import { shellQuote } from '../model/shell-words.ts';

export interface RemoteCall {
  readonly dest: string;
  readonly words: readonly string[];
}

/**
 * Takes `--engine` off the front of the command line; null where there is none.
 * @throws SallyportError `usage`
 */
export function readRemote(argv: readonly string[]): RemoteCall | null {
  const [first = '', second] = argv;
  const inline = first.startsWith('--engine=') ? first.slice('--engine='.length) : null;
  if (first !== '--engine' && inline === null) return null;
  const dest = inline ?? second ?? '';
  if (!/^ssh:\/\/[^-/\s][^/\s]*\/?$/.test(dest)) {
    throw new SallyportError('usage', `--engine "${dest}": not ssh://HOST`, 'sallyport --engine ssh://user@host:22 ls');
  }
  return { dest: dest.replace(/\/$/, ''), words: argv.slice(inline === null ? 2 : 1) };
}

/**
 * The arguments for ssh(1). With a terminal at this end the far command gets one too, so that the dashboard, colours,
 * questions and ^C work as they do here.
 */
export function remoteArguments({ dest, words }: RemoteCall, terminal: boolean, program = 'sallyport'): string[] {
  return [terminal ? '-t' : '-T', '--', dest, shellQuote([program, ...words])];
}

/** Runs it; the exit code is the far command's, 1 when ssh itself failed. */
export async function runRemote(call: RemoteCall, terminal: boolean, program?: string): Promise<number> {
  const child = spawn('ssh', remoteArguments(call, terminal, program), { stdio: 'inherit' });
  // ^C reaches ssh too; what it makes of it is the outcome.
  process.on('SIGINT', () => {});
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code === 127) {
      throw new SallyportError(
        'unsupported',
        `${call.dest} has no sallyport in its PATH`,
        'install it there, or name it with SALLYPORT_REMOTE=/path/to/sallyport',
      );
    }
    return code === null || code === 255 ? 1 : code;
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw new SallyportError('unsupported', `--engine ${call.dest}: ssh cannot be run`, 'install the OpenSSH client', {
      cause,
    });
  }
}
