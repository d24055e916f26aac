// Reading single values out of what `ssh -G` prints.
import type { ResolvedOptions } from '../model/host.ts';

/** The option's value; of one that repeats, the first. Empty where it is not set or `none`. */
export function optionText(options: ResolvedOptions, name: string): string {
  const value = options[name];
  const text = typeof value === 'string' ? value : (value?.[0] ?? '');
  return text.toLowerCase() === 'none' ? '' : text;
}

/** All values of an option that repeats. */
export function optionList(options: ResolvedOptions, name: string): readonly string[] {
  const value = options[name];
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** Values of an option that lists several separated by spaces, double quotes around those with spaces. */
export function optionWords(options: ResolvedOptions, name: string): string[] {
  return optionList(options, name)
    .flatMap((value) => value.match(/"[^"]*"|\S+/g) ?? [])
    .map((word) => word.replace(/^"(.*)"$/, '$1'))
    .filter((word) => word.toLowerCase() !== 'none');
}

/** Values of an option that lists several separated by commas. */
export function optionNames(options: ResolvedOptions, name: string): string[] {
  return optionText(options, name).split(',').filter(Boolean);
}

/** Whether a switch is on; `ssh -G` prints some as yes and no and others as true and false. */
export function optionOn(options: ResolvedOptions, name: string, otherwise: boolean): boolean {
  const text = optionText(options, name).toLowerCase();
  if (text === 'yes' || text === 'true') return true;
  if (text === 'no' || text === 'false') return false;
  return otherwise;
}

/** A whole number, or `otherwise` where the option is not set to one. */
export function optionNumber(options: ResolvedOptions, name: string, otherwise: number): number {
  const text = optionText(options, name);
  return /^\d+$/.test(text) ? Number(text) : otherwise;
}

/** A time as sshd_config(5) TIME FORMATS writes it (`90`, `1m30s`), in seconds. */
export function optionSeconds(options: ResolvedOptions, name: string, otherwise: number): number {
  const text = optionText(options, name).toLowerCase();
  if (!/^(?:\d+[smhdw]?)+$/.test(text)) return otherwise;
  const unit = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  let seconds = 0;
  for (const [, amount, letter] of text.matchAll(/(\d+)([smhdw]?)/g)) {
    seconds += Number(amount) * unit[(letter || 's') as keyof typeof unit];
  }
  return seconds;
}
