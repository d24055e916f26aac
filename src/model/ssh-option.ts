import { SallyportError } from './errors.ts';

/**
 * `Name=value`, `Name = value` and `Name value` as ssh takes them, in one spelling.
 * @throws SallyportError `bad_value`
 */
export function parseSshOption(text: string): string {
  const found = /^\s*([A-Za-z][A-Za-z0-9]*)\s*(?:=|\s)\s*(.*?)\s*$/.exec(text);
  if (found === null || found[2] === '') {
    throw new SallyportError('bad_value', `-o ${text}: not an option`, 'write it like -o ServerAliveInterval=10');
  }
  return `${found[1]}=${found[2]}`;
}
