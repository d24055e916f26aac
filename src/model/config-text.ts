// The text of a config file as a configuration, for whoever reads one: the engine its own, `import` somebody's, `export`
// where no engine runs.
import { Config } from './config.ts';
import { SallyportError } from './errors.ts';
import { migrate } from './migrations.ts';
import { describeIssue } from './schema-issue.ts';

export const configFileName = 'config.json';

/** The last configuration that was written whole, beside the config file. */
export const lastGoodName = 'config.json.last-good';

/**
 * Reads a configuration: migrates an older version, refuses a newer one, names the first thing that is wrong. What may be
 * left out is filled in, the sessions its forwards belong to included.
 * @param where what the text is, for the message
 * @param hint what to do about a text that is wrong
 * @throws SallyportError `config_invalid`, `config_newer`
 */
export function parseConfig(text: string, where: string, hint: string): Config {
  const invalid = (why: string, cause?: unknown) =>
    new SallyportError('config_invalid', `cannot read ${where}: ${why}`, hint, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(`it is not JSON: ${(cause as Error).message}`, cause);
  }
  const current = migrate(value, where);
  const parsed = Config.safeParse(current);
  if (!parsed.success) {
    const [list, index] = parsed.error.issues[0]?.path ?? [];
    const culprit = list === 'forwards' ? nameIn(current, Number(index)) : '';
    throw invalid(`${describeIssue(parsed.error)}${culprit}`, parsed.error);
  }
  const seen = new Set<string>();
  for (const { name } of parsed.data.forwards) {
    if (seen.has(name)) throw invalid(`two forwards are called ${name}`);
    seen.add(name);
  }
  return withSessions(parsed.data);
}

/** The name of a forward by its place, as ` (forward "web")`: nobody counts to it in a long file. Empty where it has none. */
function nameIn(config: unknown, index: number): string {
  const name = (config as { forwards?: { name?: unknown }[] }).forwards?.[index]?.name;
  return typeof name === 'string' ? ` (forward ${JSON.stringify(name.slice(0, 64))})` : '';
}

/**
 * What to do about a config file that is wrong.
 * @param aside its last good copy; null where there is none
 */
export function repairHint(file: string, aside: string | null): string {
  return aside === null ? 'mend it, or move it away to start afresh' : `mend it, or go back: cp ${aside} ${file}`;
}

/** With every session a forward names. */
export function withSessions(config: Config): Config {
  const sessions = { ...config.sessions };
  for (const { session } of config.forwards) sessions[session] ??= { note: '' };
  return { ...config, sessions };
}
