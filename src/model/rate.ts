import { SallyportError } from './errors.ts';

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

/**
 * Bytes per second: `800`, `500k`, `2M`, `1.5MB/s`; k is 1000, Ki 1024.
 * @throws SallyportError `bad_value`
 */
export function parseRate(text: string): number {
  const found = /^(\d+(?:\.\d+)?)\s*(|[kmg]i?)(?:b)?(?:\/s)?$/i.exec(text.trim());
  const rate = Math.round(Number(found?.[1]) * (unitBytes[(found?.[2] ?? '').toLowerCase()] ?? Number.NaN));
  if (!(rate >= 1 && rate <= Number.MAX_SAFE_INTEGER)) {
    throw new SallyportError(
      'bad_value',
      `"${text}" is not a number of bytes per second`,
      'write it like 500k, 2M or 1.5M',
    );
  }
  return rate;
}

/** A rate as `parseRate` takes it, exactly: `500k`, `2M`, `1234`. */
export function formatRateSetting(bytesPerSecond: number): string {
  const unit = (['G', 'M', 'k'] as const).find((one) => bytesPerSecond % (unitBytes[one.toLowerCase()] ?? 1) === 0);
  return unit === undefined
    ? String(bytesPerSecond)
    : `${bytesPerSecond / (unitBytes[unit.toLowerCase()] ?? 1)}${unit}`;
}
