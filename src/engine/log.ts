import { mkdirSync } from 'node:fs';
import path from 'node:path';
import pino, { type Logger } from 'pino';
import roll from 'pino-roll';

export type { Logger };

/**
 * The engine's log: JSON lines, private to the user, rotated at 5 MB, four old files kept. What could carry a secret is
 * masked by key, whoever logs it.
 * @param file link to the newest file, beside `engine.1.log` and so on; its name is the library's choice
 */
export async function openLog(file: string): Promise<Logger> {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const stream = await roll({
    file: path.join(path.dirname(file), 'engine.log'),
    size: '5m',
    limit: { count: 4 },
    symlink: true,
    mkdir: true,
    mode: 0o600,
  });
  return pino(
    {
      level: process.env.SALLYPORT_LOG_LEVEL ?? 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['answers', '*.answers', '*.*.answers', 'password', '*.password', 'passphrase', '*.passphrase'],
        censor: '(hidden)',
      },
    },
    stream,
  );
}
