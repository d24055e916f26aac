import { randomInt } from 'node:crypto';
import net from 'node:net';

/** Below the range that outgoing connections and listeners on port 0 get theirs from, so that nobody takes one meanwhile. */
const range = { first: 10_000, last: 32_000 };

function listens(port: number, host: string): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    // A machine without IPv6 has nothing at ::1 that could be taken.
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRNOTAVAIL'));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/**
 * A TCP port nobody listens on at 127.0.0.1 or ::1 right now.
 * @param count how many in a row must be free
 */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = randomInt(range.first, range.last - count);
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(ports.flatMap((port) => ['127.0.0.1', '::1'].map((host) => listens(port, host))));
    if (free.every(Boolean)) return first;
  }
}
