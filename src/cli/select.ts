import type { Command } from 'commander';
import { SallyportError } from '../model/errors.ts';
import type { Selection } from '../protocol/methods.ts';

export interface SelectFlags {
  session?: string;
  all?: boolean;
  wait?: string;
  json?: boolean;
}

export function declareSelection(command: Command): Command {
  return command
    .argument('[name...]', 'forwards')
    .option('--session <session>', 'all of a session')
    .option('--all', 'all there are')
    .option('--json', 'print JSON');
}

/** @throws SallyportError `usage` unless exactly one way of naming forwards is used */
export function readSelection(command: string, names: readonly string[], { session, all }: SelectFlags): Selection {
  const ways = [names.length > 0, session !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1) {
    throw new SallyportError(
      'usage',
      `${command}: ${ways === 0 ? 'no forward is named' : 'names, --session and --all exclude each other'}`,
      `sallyport ${command} NAME, sallyport ${command} --session NAME or sallyport ${command} --all`,
    );
  }
  if (session !== undefined) return { session };
  return all ? { all: true } : { names: [...new Set(names)] };
}
