import type { FailureCode } from '../model/errors.ts';

/** What the shell is told. */
export const exitCodes = { done: 0, failed: 1, usage: 2, noEngine: 3, notUp: 4, finding: 5 } as const;

export function exitCodeOf(code: FailureCode): number {
  switch (code) {
    case 'usage':
    case 'bad_spec':
    case 'bad_value':
      return exitCodes.usage;
    case 'no_engine':
      return exitCodes.noEngine;
    default:
      return exitCodes.failed;
  }
}
