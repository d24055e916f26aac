// What the tests of hosts need around the program: a web server with a big file, an echo, fetches and fates.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

export interface BigFile {
  readonly port: number;
  readonly sha256: string;
  close(): void;
}

/** A web server with one file of 20 MB. */
export async function serveBigFile(at: { port?: number; path?: string } = {}): Promise<BigFile> {
  const file = randomBytes(20_000_000);
  const server = http.createServer((_, response) => response.end(file));
  if (at.path === undefined) server.listen(at.port ?? 0, '127.0.0.1');
  else server.listen(at.path);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, sha256: sha256(file), close: () => server.close() };
}

/** The hash of what curl fetches with these words. */
export async function fetched(...words: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '30', ...words], { encoding: 'buffer', maxBuffer: 1e8 });
  return sha256(stdout);
}

export interface CountingServer {
  readonly port: number;
  /** Connections it has taken. */
  count(): number;
  close(): void;
}

/** A TCP server that counts who comes, and does `greet` to each. */
export async function serveTcp(greet: (socket: net.Socket) => void = () => {}, port = 0): Promise<CountingServer> {
  let count = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    count += 1;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    greet(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    count: () => count,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
