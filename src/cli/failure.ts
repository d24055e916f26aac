import type { CommanderError } from 'commander';
import { type Failure, SallyportError } from '../model/errors.ts';
import { safeText } from '../present/sanitize.ts';
import type { Output } from './output.ts';

/** Says what failed, and the next step; as JSON where the command was asked for JSON. */
export function reportFailure(out: Output, failure: Failure, json: boolean): void {
  const { code, message, hint } = failure;
  if (json) {
    out.warn(JSON.stringify({ error: { code, message, hint } }));
    return;
  }
  out.warn(`sallyport: ${safeText(message)}`);
  if (hint !== '') out.warn(`try: ${safeText(hint)}`);
}

/** The failure with what failed before why: the command, unless the message names something nearer (`cannot read FILE: …`). */
export function namingCommand(failure: Failure, command: string): Failure {
  if (command === '' || failure.message.includes(': ')) return failure;
  return { ...failure, message: `${command}: ${failure.message}` };
}

/**
 * What commander complains about, in our words.
 * @param command the words before the options, as `engine stop`; empty for the program itself
 */
export function parserFailure(error: CommanderError, command: string): SallyportError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const near = /\(Did you mean (?:one of )?(.+?)\?\)/.exec(rest.join(' '))?.[1];
  const help = `sallyport ${command === '' ? '' : `${command} `}--help`;
  const missing = error.code === 'commander.help';
  const what = missing
    ? 'a command is missing'
    : first
        .replace(/\.$/, '')
        .replace(
          /^too many arguments.*Expected (\d+) arguments? but got (\d+).*$/,
          (_, expected, got) =>
            `too many words: ${got} where ${expected === '0' ? 'none is' : expected === '1' ? '1 is' : `${expected} are`} taken`,
        );
  return new SallyportError(
    'usage',
    `${command === '' ? 'the command line' : command}: ${what}`,
    near === undefined ? help : `${near}, or ${help}`,
    { cause: error },
  );
}
