import type { Forward } from '../model/config.ts';
import { type Line, seg, wrapText } from './line.ts';

/** A forward's configuration, a line for every key there is, nested keys with a dot, as in the file. */
export function configLines(forward: Forward, columns: number): Line[] {
  const pairs: [string, string][] = [];
  const walk = (prefix: string, value: unknown) => {
    if (value === undefined || value === null) return;
    if (Array.isArray(value)) {
      pairs.push([
        prefix,
        value.map((item) => (typeof item === 'object' ? JSON.stringify(item) : String(item))).join(', '),
      ]);
    } else if (typeof value === 'object') {
      for (const [key, inner] of Object.entries(value)) walk(prefix === '' ? key : `${prefix}.${key}`, inner);
    } else pairs.push([prefix, String(value)]);
  };
  walk('', forward);
  const width = Math.max(...pairs.map(([key]) => key.length));
  return pairs.flatMap(([key, value]) =>
    wrapText(value, Math.max(8, columns - width - 2)).map(
      (text, i): Line => [seg((i === 0 ? key : '').padEnd(width + 2), 'dim'), seg(text)],
    ),
  );
}
