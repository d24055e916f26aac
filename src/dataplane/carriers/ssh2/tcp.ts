// Connecting to a host with several addresses: Happy Eyeballs, RFC 8305.
import dns from 'node:dns/promises';
import net from 'node:net';
import { SallyportError } from '../../../model/errors.ts';

/** RFC 8305 section 5: the Connection Attempt Delay. */
const attemptDelayMs = 250;

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** 0 for either. */
  readonly family: 0 | 4 | 6;
  readonly bindAddress: string;
  readonly keepAlive: boolean;
  readonly signal: AbortSignal;
}

/** Families by turns, the resolver's first choice first (RFC 8305 section 4). */
export function interleave<T extends { family: number }>(addresses: readonly T[]): T[] {
  const first = addresses[0]?.family;
  const one = addresses.filter((address) => address.family === first);
  const other = addresses.filter((address) => address.family !== first);
  return one.flatMap((address, i) => (other[i] ? [address, other[i]] : [address])).concat(other.slice(one.length));
}

/**
 * The first address that answers wins; each next one is tried a quarter second after the one before, or at once when
 * that failed. @throws the last address's error, or the signal's reason
 */
export async function connectTcp(options: TcpOptions): Promise<net.Socket> {
  const { host, port, family, bindAddress, signal } = options;
  const bindFamily = net.isIP(bindAddress);
  const found = await abortable(
    dns.lookup(host, { all: true, family: bindFamily === 0 ? family : bindFamily }),
    signal,
  );
  // An address given as such comes back whatever family was asked for.
  const queue = interleave(found.filter((address) => family === 0 || address.family === family));
  if (queue.length === 0) {
    throw new SallyportError('host_unresolved', `${host} has no IPv${family} address`, 'AddressFamily asks for one');
  }
  return new Promise<net.Socket>((resolve, reject) => {
    const open = new Set<net.Socket>();
    let timer: NodeJS.Timeout | undefined;
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const socket of open) socket.destroy();
    };
    const onAbort = () => {
      finish();
      reject(signal.reason);
    };
    const next = () => {
      clearTimeout(timer);
      const address = queue.shift();
      if (address === undefined) return;
      const socket = new net.Socket();
      open.add(socket);
      socket.on('error', (error) => {
        // The winner has left the set; its later errors are its owner's.
        if (!open.delete(socket)) return;
        socket.destroy();
        if (queue.length > 0) next();
        else if (open.size === 0) {
          finish();
          reject(error);
        }
      });
      socket.once('connect', () => {
        open.delete(socket);
        finish();
        socket.setNoDelay(true);
        if (options.keepAlive) socket.setKeepAlive(true);
        resolve(socket);
      });
      socket.connect({
        host: address.address,
        port,
        family: address.family,
        ...(bindAddress === '' ? {} : { localAddress: bindAddress }),
      });
      if (queue.length > 0) timer = setTimeout(next, attemptDelayMs);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    next();
  });
}

/** Gives up waiting at the signal; what it waited for goes on by itself. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
