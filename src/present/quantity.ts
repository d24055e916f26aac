import prettyBytes from 'pretty-bytes';

/** `1.2 MB`: decimal units, at most four characters of number. */
export function formatBytes(bytes: number): string {
  return prettyBytes(Math.max(0, bytes), { maximumFractionDigits: 1 });
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
