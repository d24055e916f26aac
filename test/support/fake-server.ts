// The fake engine behind a real socket, so that the real program can be run against any picture.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createMessageConnection, ResponseError, SocketMessageReader, SocketMessageWriter } from 'vscode-jsonrpc/node';
import { toFailure } from '../../src/model/errors.ts';
import { findHome } from '../../src/model/home.ts';
import { type MethodName, methods } from '../../src/protocol/methods.ts';
import type { FakeEngine } from './fake-engine.ts';

const notifications = ['change', 'counters', 'event', 'resync', 'bye'] as const;

export interface FakeServer {
  /** What the program needs in its environment to find it. */
  readonly env: Record<string, string>;
  close(): void;
}

/** Serves a fake engine in a home of its own. */
export async function serveFake(engine: FakeEngine): Promise<FakeServer> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-fake-'));
  const home = findHome({ SALLYPORT_HOME: dir });
  mkdirSync(home.runDir, { recursive: true, mode: 0o700 });
  const sockets = new Set<net.Socket>();
  const server = net.createServer(async (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const client = await engine.connect();
    const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
    connection.onError(() => {});
    for (const method of Object.keys(methods) as MethodName[]) {
      connection.onRequest(method as string, async (params: object): Promise<never> => {
        try {
          const answer = await client.call(method, params as never);
          // Of whichever build the program is, this is its engine.
          return (
            method === 'hello' ? { ...(answer as object), build: (params as { build: string }).build } : answer
          ) as never;
        } catch (error) {
          const failure = toFailure(error);
          return new ResponseError(1, failure.message, failure) as never;
        }
      });
    }
    for (const name of notifications)
      client.on(name, (params) => void connection.sendNotification(name, params).catch(() => {}));
    socket.on('close', () => client.close());
    connection.listen();
  });
  await new Promise<void>((resolve) => server.listen(home.socket, resolve));
  return {
    env: { SALLYPORT_HOME: dir },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
