import prettyBytes from 'pretty-bytes';

/** `1.2 MB`, `88.1 MB`, `232 kB`: decimal units, at most four characters of number. */
export function formatBytes(bytes: number): string {
  const amount = Math.max(0, bytes);
  // Rounded here: asked for a number of digits, pretty-bytes formats by the locale, which costs a tenth of a frame.
  const tenth = amount < 1000 ? 1 : 10 ** (3 * Math.floor(Math.log10(amount) / 3) - 1);
  return prettyBytes(Math.round(amount / tenth) * tenth);
}

/** `1.2 MB/s`; nothing moving is `0 B/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** A span of time in its two largest units: `12s`, `6m 12s`, `3d 04h`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  const two = (n: number) => String(n).padStart(2, '0');
  if (days > 0) return `${days}d ${two(hours)}h`;
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  if (minutes > 0) return `${minutes}m ${two(seconds % 60)}s`;
  return `${seconds}s`;
}

/** `1.2M`, `14k`, `0`: a rate or a size where there is little room; at most five columns. */
export function formatShort(amount: number): string {
  let value = Math.max(0, Math.round(amount));
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)}${units[unit]}`;
}

/** `13:45:07`, local time. */
function formatClock(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}

/** The clock today, the date before that: `13:45:07`, `Nov 21 13:45`. */
export function formatMoment(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return formatClock(at);
  const month = at.toLocaleString('en', { month: 'short' });
  return `${month} ${String(at.getDate()).padStart(2, '0')} ${formatClock(at).slice(0, 5)}`;
}

/** `1 flow`, `3 flows`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
