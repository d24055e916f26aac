// The direct carrier: plain sockets of this machine.
import net from 'node:net';
import type { Target } from '../../model/endpoint.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import { dialError } from '../sockets/errors.ts';
import { IntakeSocket } from '../sockets/intake.ts';
import type { Carrier } from './carrier.ts';

/** The half of a carrier that opens streams. */
export type Dialer = Pick<Carrier, 'dial'>;

const connectTimeoutMs = 10_000;
const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const;

/**
 * Connects from this machine; a name is resolved here, and its addresses raced (RFC 8305). The socket is given back
 * paused and half-open.
 * @param makeSocket for a special kind of socket
 * @throws SallyportError `target_refused`, `target_unreachable`, `target_timeout`, `fd_limit`; the signal's reason
 */
export function dialDirect(
  target: Target,
  signal: AbortSignal,
  makeSocket: (options: net.SocketConstructorOpts) => net.Socket = (options) => new net.Socket(options),
): Promise<net.Socket> {
  const timeoutMs = connectTimeoutMs;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = makeSocket(socketOptions);
    socket.pause();
    const fail = (error: unknown) => {
      settle();
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onError = (error: unknown) => fail(dialError(error, target));
    const onAbort = () => fail(signal.reason);
    const timer = setTimeout(() => {
      fail(new SallyportError('target_timeout', `${formatEndpoint(target)} does not answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      socket.off('error', onError).off('connect', onConnect);
      signal.removeEventListener('abort', onAbort);
    };
    const onConnect = () => {
      settle();
      // Asked once while connected, the peer's address is kept: later it tells TCP from a Unix socket, even when it is gone.
      if (!(socket instanceof IntakeSocket)) void socket.remoteAddress;
      // Whoever takes the stream listens for errors; one may come before that.
      socket.on('error', () => {});
      resolve(socket);
    };
    socket.on('error', onError).on('connect', onConnect);
    signal.addEventListener('abort', onAbort);
    socket.connect('socket' in target ? { path: target.socket } : { ...target, autoSelectFamily: true });
  });
}

export const direct: Dialer = {
  dial: (target, _origin, signal) => dialDirect(target, signal),
};
