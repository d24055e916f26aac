import type net from 'node:net';
import { SallyportError } from '../../../model/errors.ts';

export const lostHost = () => new SallyportError('host_lost', 'the connection to the host was lost');

/**
 * A Unix socket shows the end of a flow and the death of the ssh behind it alike. This holds an end back until it is
 * known which it is: two turns of the event loop see all sockets that died with it.
 */
export function guardEnd(socket: net.Socket, alive: () => boolean): void {
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null) return push(chunk, encoding);
    const settle = () => {
      if (socket.destroyed) return;
      if (!alive()) {
        socket.destroy(lostHost());
        return;
      }
      push(null);
      socket.read(0);
    };
    setImmediate(() => setImmediate(settle));
    return false;
  };
  socket.on('error', () => {});
}
