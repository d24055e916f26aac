import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../model/config.ts';
import { SallyportError, systemReason } from '../model/errors.ts';
import type { Home } from '../model/home.ts';

/**
 * The configuration as the file has it, for when no engine runs; read only. No file is an empty configuration.
 * @throws SallyportError `config_invalid` or `config_newer`
 */
export async function readConfigFile({ configDir }: Home): Promise<Config> {
  // Most commands ask the engine and have no use for the schema, which takes longer to make than they take to answer.
  const [{ emptyConfig }, { configFileName, lastGoodName, parseConfig, repairHint }] = await Promise.all([
    import('../model/config.ts'),
    import('../model/config-text.ts'),
  ]);
  const file = path.join(configDir, configFileName);
  const aside = path.join(configDir, lastGoodName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return emptyConfig();
    throw new SallyportError(
      'config_invalid',
      `cannot read ${file}: ${systemReason(cause)}`,
      'check what it is and who owns it',
      {
        cause,
      },
    );
  }
  return parseConfig(text, file, repairHint(file, existsSync(aside) ? aside : null));
}
