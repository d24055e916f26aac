const mapped = '::ffff:';

/** A peer's address as people write it: an IPv4 client of a dual-stack socket is shown as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith(mapped) && address.includes('.') ? address.slice(mapped.length) : address;
}

/** `1.2.3.4:80` or `[::1]:80`. */
export function hostPort(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
