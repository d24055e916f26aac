// JSON-RPC over the engine's socket: checks parameters against the table of methods, turns errors into failures.
import type net from 'node:net';
import { createMessageConnection, ResponseError, SocketMessageReader, SocketMessageWriter } from 'vscode-jsonrpc/node';
import { SallyportError, toFailure } from '../model/errors.ts';
import { describeIssue } from '../model/schema-issue.ts';
import { type CheckedParams, type MethodName, methods, type Result } from '../protocol/methods.ts';
import type { Engine } from './engine.ts';
import type { Watcher } from './publisher.ts';

/** One client's connection, as the handlers see it. */
export interface Session {
  readonly watcher: Watcher;
}

export type Handlers = {
  readonly [M in MethodName]: (params: CheckedParams<M>, session: Session) => Result<M> | Promise<Result<M>>;
};

/** Serves one client until it leaves. */
export function serve(socket: net.Socket, engine: Engine, handlers: Handlers): void {
  const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
  const session: Session = {
    watcher: {
      notify: (name, params) => void connection.sendNotification(name, params).catch(() => {}),
      backlog: () => socket.writableLength,
    },
  };
  socket.on('error', () => {});
  socket.on('close', () => {
    engine.publisher.unwatch(session.watcher);
    connection.dispose();
  });
  connection.onError(() => {});
  for (const name of Object.keys(methods) as MethodName[]) {
    connection.onRequest(name, async (raw: unknown) => {
      try {
        const params = methods[name].params.safeParse(raw);
        if (!params.success) throw new SallyportError('usage', `${name}: ${describeIssue(params.error)}`);
        // One handler's parameters and another's have no common type but this table's own pairing.
        return await (handlers[name] as (params: unknown, session: Session) => unknown)(params.data, session);
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code === 'internal') engine.log.error({ err: error, method: name }, 'a call failed');
        return new ResponseError(-32_000, failure.message, failure);
      }
    });
  }
  connection.listen();
  // It was accepted paused, so that nothing is lost before there is a reader.
  socket.resume();
}
