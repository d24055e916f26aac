// What a schema found wrong, in words of ours; apart from the schemas, which a command that only reports need not read.
import type * as z from 'zod';

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
