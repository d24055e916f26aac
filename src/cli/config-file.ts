import path from 'node:path';
import type { Config } from '../model/config.ts';
import { SallyportError } from '../model/errors.ts';
import type { Home } from '../model/home.ts';

/**
 * The configuration as the file has it, for when no engine runs; read only. No file is an empty configuration.
 * @throws SallyportError `config_invalid` or `config_newer`
 */
export async function readConfigFile(home: Home, read: (file: string) => Promise<string>): Promise<Config> {
  const file = path.join(home.configDir, 'config.json');
  // Most commands ask the engine and have no use for the schema, which takes longer to make than they take to answer.
  const { Config, emptyConfig } = await import('../model/config.ts');
  let text: string;
  try {
    text = await read(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return emptyConfig();
    throw new SallyportError('config_invalid', `cannot read ${file}: ${code}`, 'check who owns it', { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SallyportError('config_invalid', `${file} is not JSON`, 'mend it, or put the copy beside it back', {
      cause,
    });
  }
  const { version } = (value ?? {}) as { version?: unknown };
  if (typeof version === 'number' && version > 1) {
    throw new SallyportError('config_newer', `${file} has version ${version}`, 'use the newer sallyport that wrote it');
  }
  const parsed = Config.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SallyportError(
    'config_invalid',
    `${file}: ${issue?.path.join('.')}: ${issue?.message}`,
    'mend it, or put the copy beside it back',
  );
}
