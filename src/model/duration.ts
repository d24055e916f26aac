import { SallyportError } from './errors.ts';

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const pattern = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$|^\d+(?:\.\d+)?$/i;

/**
 * Parses `90`, `30s`, `10m`, `1h30m`: the time formats of sshd_config(5), plus `ms`; a bare number is seconds.
 * @returns milliseconds
 * @throws SallyportError `bad_value`
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (!pattern.test(trimmed)) {
    throw new SallyportError('bad_value', `"${text}" is not a duration`, 'write it like 30s, 10m, 1h30m or 2d');
  }
  if (/^[\d.]+$/.test(trimmed)) return Number(trimmed) * 1000;
  let total = 0;
  for (const [, count, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/gi)) {
    total += Number(count) * (unitMs[(unit ?? '').toLowerCase()] ?? 0);
  }
  return total;
}

export function isDuration(text: string): boolean {
  return pattern.test(text.trim());
}

/**
 * A duration that is more than nothing, as typed.
 * @throws SallyportError `bad_value`
 */
export function someTime(text: string): string {
  if (parseDuration(text) <= 0)
    throw new SallyportError('bad_value', `"${text}" is no time at all`, 'write it like 30s, 10m or 1h30m');
  return text.trim();
}
