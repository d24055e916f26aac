import net from 'node:net';
import {
  createMessageConnection,
  ErrorCodes,
  ResponseError,
  SocketMessageReader,
  SocketMessageWriter,
} from 'vscode-jsonrpc/node';
import { type Failure, isFailureCode, SallyportError } from '../model/errors.ts';
import type { MethodName, Params, Result } from '../protocol/methods.ts';
import type { NotificationName, Notifications } from '../protocol/notifications.ts';

/** A connection to an engine. */
export interface Client {
  /** @throws SallyportError as the engine says, or `engine_gone` */
  call<M extends MethodName>(method: M, params: Params<M>): Promise<Result<M>>;
  /** Subscribes; returns the way to unsubscribe. */
  on<N extends NotificationName>(name: N, listener: (params: Notifications[N]) => void): () => void;
  /** Called once when the engine has gone, or after `close`. */
  onClose(listener: () => void): () => void;
  close(): void;
}

/** Speaks JSON-RPC over a connected stream. */
function clientOver(socket: net.Socket): Client {
  const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
  const closers = new Set<() => void>();
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    connection.dispose();
    socket.destroy();
    for (const listener of [...closers]) listener();
    closers.clear();
  };
  const gone = () => new SallyportError('engine_gone', 'the engine ended while it was asked', 'run the command again');
  // Every error of the stream ends in its close; the calls under way hear of it there.
  socket.on('error', () => {});
  socket.on('close', close);
  connection.onError(() => {});
  connection.onClose(close);
  connection.listen();

  return {
    async call(method, params) {
      if (closed) throw gone();
      const lost = Promise.withResolvers<never>();
      const onLost = () => lost.reject(gone());
      closers.add(onLost);
      try {
        return (await Promise.race([connection.sendRequest(method, params), lost.promise])) as never;
      } catch (error) {
        // A write can fail before the close of the socket is heard of.
        throw closed || isLost(error) ? gone() : fromWire(error);
      } finally {
        closers.delete(onLost);
      }
    },
    on(name, listener) {
      const handle = connection.onNotification(name, listener);
      return () => handle.dispose();
    },
    onClose(listener) {
      if (closed) queueMicrotask(listener);
      else closers.add(listener);
      return () => closers.delete(listener);
    },
    close,
  };
}

function isLost(error: unknown): boolean {
  const { MessageWriteError, MessageReadError, PendingResponseRejected, ConnectionInactive } = ErrorCodes;
  const codes: readonly number[] = [MessageWriteError, MessageReadError, PendingResponseRejected, ConnectionInactive];
  return error instanceof ResponseError && codes.includes(error.code);
}

function fromWire(error: unknown): unknown {
  if (!(error instanceof ResponseError)) return error;
  const failure = error.data as Partial<Failure> | undefined;
  if (isFailureCode(failure?.code))
    return new SallyportError(failure.code, failure.message ?? error.message, failure.hint);
  return new SallyportError('internal', error.message, 'the engine log has the details', { cause: error });
}

// ECONNRESET: an engine that was just about to go.
const nobody = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'ECONNRESET']);

/** Connects to an engine's socket; null when nobody listens there. */
export async function dialEngine(socketPath: string): Promise<Client | null> {
  const socket = net.connect(socketPath);
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket | null>();
  socket.once('connect', () => resolve(socket));
  socket.once('error', (error: NodeJS.ErrnoException) => {
    if (nobody.has(error.code ?? '')) resolve(null);
    else
      reject(
        new SallyportError(
          'engine_start',
          `cannot reach the engine at ${socketPath}: ${error.code}`,
          'check who owns that path',
          { cause: error },
        ),
      );
  });
  const connected = await promise;
  return connected === null ? null : clientOver(connected);
}
