// Two inside hosts on this machine's loopback, 127.0.0.2 and 127.0.0.3, that call out through the engine's forwards.
import { once } from 'node:events';
import net from 'node:net';
import type { Inside } from './trigger-ground.ts';

export const loopbackHosts: Readonly<Record<Inside, string>> = { first: '127.0.0.2', second: '127.0.0.3' };

/** A server that says who it is and echoes. */
export async function talker(host: string, port: number, says: string): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.write(`${says} `);
    socket.pipe(socket);
  });
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

/** A port free on this machine's whole loopback. */
export async function portFreeOn(hosts: readonly string[]): Promise<number> {
  for (;;) {
    const first = net.createServer().listen(0, hosts[0]);
    await once(first, 'listening');
    const { port } = first.address() as net.AddressInfo;
    const others = hosts.slice(1).map((host) => net.createServer().listen(port, host));
    const free = await Promise.all(
      others.map((server) =>
        once(server, 'listening').then(
          () => true,
          () => false,
        ),
      ),
    );
    for (const server of [first, ...others]) server.close();
    if (free.every(Boolean)) return port;
  }
}

/** Sends a word and gives all that came back; null where the connection is refused or cut. */
export async function askFrom(source: string, port: number, socksTo?: { host: string; port: number }) {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: source, allowHalfOpen: true });
  socket.setTimeout(8000, () => socket.destroy());
  socket.on('error', () => {});
  let got = Buffer.alloc(0);
  try {
    if (socksTo !== undefined) await socksHandshake(socket, socksTo);
    socket.end('hello');
    for await (const chunk of socket) got = Buffer.concat([got, chunk]);
  } catch {
    return null;
  }
  return got.length === 0 ? null : got.toString();
}

async function socksHandshake(socket: net.Socket, to: { host: string; port: number }): Promise<void> {
  await once(socket, 'connect');
  socket.write(Buffer.from([5, 1, 0]));
  await read(socket, 2);
  const address = to.host.split('.').map(Number);
  socket.write(Buffer.from([5, 1, 0, 1, ...address, to.port >> 8, to.port & 255]));
  const reply = await read(socket, 10);
  if (reply[1] !== 0) throw new Error(`the SOCKS server says ${reply[1]}`);
}

async function read(socket: net.Socket, length: number): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read(length) as Buffer | null;
    if (chunk !== null) return chunk;
    if (socket.readableEnded || socket.destroyed) throw new Error('hung up');
    await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
  }
}
