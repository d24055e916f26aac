import type net from 'node:net';
import { SallyportError } from '../../../model/errors.ts';

export const lostHost = () => new SallyportError('host_lost', 'the connection to the host was lost');

/**
 * A Unix socket shows the end of a flow and the death of the ssh behind it alike. This holds an end back until ssh
 * itself has said which it is.
 */
export function guardEnd(socket: net.Socket, checkAlive: () => Promise<boolean>): void {
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null) return push(chunk, encoding);
    void checkAlive().then((alive) => {
      if (socket.destroyed) return;
      if (!alive) {
        socket.destroy(lostHost());
        return;
      }
      push(null);
      socket.read(0);
    });
    return false;
  };
  socket.on('error', () => {});
}
