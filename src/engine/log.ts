import { mkdirSync } from 'node:fs';
import path from 'node:path';
import pino, { type Logger } from 'pino';
import roll from 'pino-roll';

export type { Logger };

/**
 * The engine's log in the folder of `current`, which will name the newest file: JSON lines, private to the user, rotated at 5 MB, four old files kept. What could carry a secret is
 * masked by key, whoever logs it.
 */
export async function openLog(current: string): Promise<Logger> {
  const file = path.join(path.dirname(current), 'engine.log');
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const stream = await roll({ file, size: '5m', limit: { count: 4 }, symlink: true, mkdir: true, mode: 0o600 });
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
