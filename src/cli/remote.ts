// `--engine ssh://DEST COMMAND`: the command runs on the other machine, against the engine there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
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

/**
 * Runs it; the exit code is the far command's.
 * @param program the far sallyport, where it is not in the PATH there
 * @throws SallyportError `host_unreachable` when ssh itself failed, `unsupported` where one of the two programs is missing
 */
export async function runRemote(call: RemoteCall, io: { terminal: boolean; json: boolean }, program?: string) {
  // For a reader of JSON, what ssh says about itself becomes part of the one object.
  const child = spawn('ssh', remoteArguments(call, io.terminal, program), {
    stdio: ['inherit', 'inherit', io.json ? 'pipe' : 'inherit'],
  });
  // ^C reaches ssh too; what it makes of it is the outcome.
  process.on('SIGINT', () => {});
  let code: number | null;
  let said: string;
  try {
    [[code], said] = await Promise.all([
      once(child, 'exit') as Promise<[number | null]>,
      child.stderr === null ? '' : text(child.stderr),
    ]);
  } catch (cause) {
    throw new SallyportError('unsupported', `--engine ${call.dest}: ssh cannot be run`, 'install the OpenSSH client', {
      cause,
    });
  }
  if (code === 127) {
    throw new SallyportError(
      'unsupported',
      program === undefined ? `${call.dest} has no sallyport in its PATH` : `${call.dest} has no ${program}`,
      'install it there, or name it with SALLYPORT_REMOTE=/path/to/sallyport',
    );
  }
  if (code === 255) {
    const why = said.trim().split(/\r?\n/).at(-1) || 'ssh failed';
    throw new SallyportError(
      'host_unreachable',
      `--engine ${call.dest}: ${why}`,
      `see whether this works: ssh ${call.dest}`,
    );
  }
  process.stderr.write(said);
  return code ?? 1;
}
