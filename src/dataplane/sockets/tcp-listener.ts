import net from 'node:net';
import type { BindAddress } from './bind.ts';
import { bindAll } from './bind-all.ts';
import type { PortHolder } from './errors.ts';

/** Something that takes connections, until closed. */
export interface Listener {
  /** As shown to people: `127.0.0.1:8080`, `[::1]:8080`, or a socket's path. */
  readonly shown: string;
  /** Null for a Unix socket. */
  readonly port: number | null;
  /** Lets go of the address at once; accepted connections live on. Can be called twice. */
  close(): void;
}

export type Accept = (socket: net.Socket, port: number) => void;

/** What every accepted connection gets: paused, so that nothing is read before somebody takes it. */
export const acceptOptions = {
  allowHalfOpen: true,
  pauseOnConnect: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;

const backlog = 4096;

interface BoundServer {
  readonly port: number;
  close(): void;
}

function bindServer(accept: Accept) {
  return ({ dualStack }: BindAddress, host: string, port: number): Promise<BoundServer> =>
    new Promise((resolve, reject) => {
      let bound = port;
      const server = net.createServer(acceptOptions, (socket) => accept(socket, bound));
      server.on('error', reject);
      server.listen({ host, port, backlog, ipv6Only: net.isIPv6(host) && !dualStack }, () => {
        bound = (server.address() as net.AddressInfo).port;
        resolve({ port: bound, close: () => void server.close() });
      });
    });
}

/**
 * Listens for TCP.
 * @param address none: both loopbacks; `*`: every address; else an address or name
 * @param port 0 takes a free one
 * @throws SallyportError as `bindAll`
 */
export async function listenTcp(
  address: string | undefined,
  port: number,
  accept: Accept,
  holder: PortHolder,
): Promise<Listener & { readonly address: string; readonly port: number }> {
  const bound = await bindAll('tcp', address, port, bindServer(accept), holder);
  return {
    address: bound.shown,
    port: bound.port,
    shown: net.isIPv6(bound.shown) ? `[${bound.shown}]:${bound.port}` : `${bound.shown}:${bound.port}`,
    close: () => {
      for (const socket of bound.sockets) socket.close();
    },
  };
}
