// The text of a config file as a configuration, for whoever reads one: the engine its own, `import` somebody's, `export`
// where no engine runs.
import type * as z from 'zod';
import { Config } from './config.ts';
import { SallyportError } from './errors.ts';
import { migrate } from './migrations.ts';

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
  const parsed = Config.safeParse(migrate(value, where));
  if (!parsed.success) throw invalid(describeIssue(parsed.error), parsed.error);
  const seen = new Set<string>();
  for (const { name } of parsed.data.forwards) {
    if (seen.has(name)) throw invalid(`two forwards are called ${name}`);
    seen.add(name);
  }
  return withSessions(parsed.data);
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

/** The first thing a schema found wrong: `forwards.2.listen.port: ports go from 1 to 65535`. */
export function describeIssue(error: z.ZodError): string {
  const issue = deepest(error.issues[0]);
  const at = issue?.path.join('.') ?? '';
  return `${at === '' ? '' : `${at}: `}${issueWords(issue)}`.replaceAll('\n', ' ');
}

/** What is wrong with a value, in words of ours; the schema's own stay. */
export function issueWords(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'not valid';
  switch (issue.code) {
    case 'unrecognized_keys':
      return `there is no key ${issue.keys.map((key) => `"${key}"`).join(' or ')} here`;
    case 'invalid_type':
      if (!issue.message.startsWith('Invalid input')) return issue.message;
      return issue.message.endsWith('received undefined') ? 'is missing' : `must be ${article(issue.expected)}`;
    case 'invalid_value':
      if (!/^Invalid (input|option)/.test(issue.message)) return issue.message;
      return `must be ${issue.values
        .map(String)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')}`;
    case 'too_small':
      return issue.message.startsWith('Too small') ? `must be at least ${issue.minimum}` : issue.message;
    case 'too_big':
      return issue.message.startsWith('Too big') ? `must be at most ${issue.maximum}` : issue.message;
    default:
      return issue.message;
  }
}

const article = (type: string) => `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;

/** A union reports one issue for itself; the branch that got furthest says what is really wrong. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue;
  const branches = issue.errors.map((branch) => deepest(branch[0])).filter((found) => found !== undefined);
  const best = branches.sort((a, b) => b.path.length - a.path.length)[0];
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] };
}
