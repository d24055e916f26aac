import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** The person ended the question (^C, ^D). */
export class Interrupted extends Error {}

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface AskOptions {
  readonly echo?: boolean;
  /** Takes the question back. */
  readonly signal?: AbortSignal;
}

/**
 * Asks on the terminal; the answer is not shown where `echo` is false.
 * @throws Interrupted; the signal's reason
 */
export async function ask(
  { stdin, stderr }: Terminal,
  label: string,
  { echo = true, signal }: AskOptions = {},
): Promise<string> {
  signal?.throwIfAborted();
  const hidden = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: echo ? stderr : hidden, terminal: true, historySize: 0 });
  const ended = new AbortController();
  lines.once('SIGINT', () => ended.abort());
  lines.once('close', () => ended.abort());
  const withdraw = () => ended.abort();
  signal?.addEventListener('abort', withdraw, { once: true });
  if (!echo) stderr.write(label);
  try {
    return await lines.question(label, { signal: ended.signal });
  } catch {
    signal?.throwIfAborted();
    throw new Interrupted('interrupted');
  } finally {
    signal?.removeEventListener('abort', withdraw);
    lines.close();
    if (!echo || signal?.aborted) stderr.write('\n');
    stdin.pause();
  }
}

/** A yes or no; anything but yes is no. */
export async function confirm(terminal: Terminal, question: string, options: AskOptions = {}): Promise<boolean> {
  return /^y(es)?$/i.test((await ask(terminal, `${question} (y/N) `, options)).trim());
}
