import { createSocket, type Socket } from 'node:dgram';
import { SallyportError } from '../../model/errors.ts';
import { familyOf } from './address.ts';
import { serverPort } from './pcp.ts';

export interface Exchange<T> {
  readonly server: string;
  readonly port?: number;
  /** Address to send from; null leaves it to the routing table. */
  readonly from?: string | null;
  /** Makes the request, given the address it will come from. */
  request(client: string): Uint8Array;
  /** Reads a datagram of the server; null for one that does not answer the request. */
  answer(bytes: Uint8Array): T | null;
  /** How long each copy of the request is waited for. */
  readonly waitsMs: readonly number[];
  readonly signal: AbortSignal;
}

/** RFC 6886 section 3.1: 250 ms, then twice as long each time. Four copies: a router on the LAN answers in milliseconds. */
export const natPmpWaitsMs = [250, 500, 1000, 2000] as const;

/** RFC 6887 section 8.1.1: 3 s give or take a tenth, then twice as long. Two copies; the caller tries again later. */
export function pcpWaitsMs(random = Math.random): number[] {
  const spread = () => 1 + (random() - 0.5) / 5;
  const first = 3000 * spread();
  return [first, 2 * first * spread()];
}

/**
 * Sends a request over UDP until it is answered. The socket is connected, so the kernel drops what comes from anybody
 * else, and a closed port is known at once.
 * @returns the answer, and the address of ours it went to
 * @throws SallyportError `gateway_missing`; the signal's reason
 */
export async function exchange<T>(options: Exchange<T>): Promise<{ answer: T; client: string }> {
  const { server, signal } = options;
  signal.throwIfAborted();
  const socket = createSocket(familyOf(server) === 6 ? 'udp6' : 'udp4');
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const missing = (why: string, cause?: unknown) =>
        reject(new SallyportError('gateway_missing', `router ${server} ${why}`, '', { cause }));
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      socket.on('error', (cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'EADDRNOTAVAIL') return missing(`cannot be asked: ${cause.message}`, cause);
        // That says nothing about the router.
        reject(
          new SallyportError('gateway_failed', `${options.from} is no longer this machine's address`, '', { cause }),
        );
      });
      connect(socket, options, () => {
        const client = socket.address().address;
        const request = options.request(client);
        socket.on('message', (bytes) => {
          const answer = options.answer(bytes);
          if (answer !== null) resolve({ answer, client });
        });
        const waits = [...options.waitsMs];
        const send = () => {
          const wait = waits.shift();
          if (wait === undefined) return missing('does not answer');
          socket.send(request, (cause) => cause && missing(`cannot be asked: ${cause.message}`, cause));
          timer = setTimeout(send, wait);
        };
        send();
      });
    });
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    socket.close();
  }
}

function connect(socket: Socket, { server, port = serverPort, from }: Exchange<unknown>, done: () => void): void {
  const go = () => socket.connect(port, server, (error?: Error) => (error ? socket.emit('error', error) : done()));
  if (from) socket.bind({ address: from, port: 0 }, go);
  else go();
}

/**
 * This machine's address toward a router, by the routing table; nothing is sent.
 * @returns null when there is no way there
 */
export async function addressToward(server: string): Promise<string | null> {
  const socket = createSocket(familyOf(server) === 6 ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('error', () => resolve(null));
      socket.connect(serverPort, server, (error?: Error) => resolve(error ? null : socket.address().address));
    });
  } finally {
    socket.close();
  }
}
