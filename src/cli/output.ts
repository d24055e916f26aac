import type { Writable } from 'node:stream';

/** Where a command's words go. Nothing is lost at exit: `flush` resolves once the system has taken all of it. */
export interface Output {
  /** A line, or several, on standard output. */
  print(text: string): void;
  /** One value as JSON on a line of its own. */
  json(value: unknown): void;
  /** A line on standard error. */
  warn(text: string): void;
  flush(): Promise<void>;
}

/**
 * @param onClosed called when the reader of either stream has gone (`| head`); what is printed later vanishes
 */
export function outputTo(stdout: Writable, stderr: Writable, onClosed: () => void): Output {
  let closed = false;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
      if (!closed) onClosed();
      closed = true;
    });
  }
  const write = (stream: Writable, text: string) => {
    if (!closed) stream.write(`${text}\n`);
  };
  const drained = (stream: Writable) =>
    new Promise<void>((resolve) => {
      if (closed || stream.destroyed) resolve();
      else stream.write('', () => resolve());
    });
  return {
    print: (text) => write(stdout, text),
    json: (value) => write(stdout, JSON.stringify(value)),
    warn: (text) => write(stderr, text),
    async flush() {
      await Promise.all([drained(stdout), drained(stderr)]);
    },
  };
}
