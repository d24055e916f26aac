import { setImmediate } from 'node:timers/promises';
import { SallyportError } from '../../model/errors.ts';
import type { Descriptors } from '../descriptors.ts';

interface Closable {
  close(): void;
}

/** After so many ports others get a turn. */
const batch = 256;

/**
 * Opens one listener for each port, all or none. Each holds a descriptor until closed.
 * @throws SallyportError as `open`, `fd_limit`
 */
export async function openRange<T extends Closable>(
  ports: { readonly first: number; readonly last: number },
  descriptors: Descriptors,
  open: (port: number) => Promise<T>,
): Promise<{ readonly opened: readonly T[]; close(): void }> {
  const count = ports.last - ports.first + 1;
  if (!descriptors.take(count)) {
    throw new SallyportError(
      'fd_limit',
      `${count} ports need more file descriptors than are left (${descriptors.free})`,
      'raise LimitNOFILE (ulimit -n), or map fewer ports',
    );
  }
  const opened: T[] = [];
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    for (const listener of opened) listener.close();
    descriptors.give(count);
  };
  try {
    for (let port = ports.first; port <= ports.last; port++) {
      opened.push(await open(port));
      if (opened.length % batch === 0) await setImmediate();
    }
  } catch (error) {
    close();
    throw error;
  }
  return { opened, close };
}
