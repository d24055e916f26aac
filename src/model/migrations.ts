import { SallyportError } from './errors.ts';

const currentVersion = 1;

/** Step N turns a configuration of version N into one of version N + 1. */
const steps: Readonly<Record<number, (config: Record<string, unknown>) => Record<string, unknown>>> = {};

/**
 * Brings a configuration to the current version.
 * @throws SallyportError `config_newer` when it is from a later sallyport
 */
export function migrate(value: unknown, where: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  let config = value as Record<string, unknown>;
  const { version } = config;
  if (typeof version === 'number' && version > currentVersion) {
    throw new SallyportError(
      'config_newer',
      `${where} was written by a newer sallyport (version ${version}, this one knows ${currentVersion})`,
      'run the newer sallyport, or set another SALLYPORT_HOME',
    );
  }
  for (let at = typeof version === 'number' ? version : currentVersion; at < currentVersion; at++) {
    const step = steps[at];
    if (step === undefined) break;
    config = step(config);
  }
  return config;
}
