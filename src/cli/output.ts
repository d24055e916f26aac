import type { Writable } from 'node:stream';

/** Where a command's words go. Nothing is lost at exit: `flush` resolves once the system has taken all of it. */
export interface Output {
  /** A line, or several, on standard output. */
  print(text: string): void;
  /** One value as JSON on a line of its own. */
  json(value: unknown): void;
  /** A line on standard error. */
  warn(text: string): void;
  /** False where something could not be written, which was said on standard error. */
  flush(): Promise<boolean>;
}

/**
 * @param onClosed called when the reader of either stream has gone (`| head`); what is printed later vanishes
 */
export function outputTo(stdout: Writable, stderr: Writable, onClosed: () => void): Output {
  let closed = false;
  let lost = false;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (closed) return;
      closed = true;
      onClosed();
      if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') return;
      lost = true;
      if (stream === stdout)
        stderr.write(`sallyport: cannot write the output: ${error.message}\ntry: make room where it goes\n`);
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
      return !lost;
    },
  };
}
