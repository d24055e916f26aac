import type * as z from 'zod';
import { SallyportError } from '../model/errors.ts';
import { issueWords } from '../model/schema-issue.ts';

/**
 * `value` as the schema understands it.
 * @throws SallyportError `bad_value`, naming the field
 */
export function checked<S extends z.ZodType>(schema: S, value: unknown, hint: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  const given = issue?.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  const shown = typeof given === 'string' || typeof given === 'number' ? ` "${given}"` : '';
  throw new SallyportError('bad_value', `${field}${shown}: ${issueWords(issue)}`, hint);
}
