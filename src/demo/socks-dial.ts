// Enough of a SOCKS client to try a server with: no login, CONNECT only.
import { once } from 'node:events';
import net from 'node:net';

export type SocksWay = 'socks5' | 'socks5-name' | 'socks4a';

/** Connects through the SOCKS server at 127.0.0.1:`proxyPort` to a port of the far end's loopback. */
export async function socksDial(way: SocksWay, proxyPort: number, port: number): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port: proxyPort, noDelay: true, allowHalfOpen: true });
  try {
    await once(socket, 'connect');
    const portBytes = [port >> 8, port & 255];
    const name = Buffer.from('localhost');
    if (way === 'socks4a') {
      // 0.0.0.1 says that a name follows the user id.
      socket.write(Buffer.concat([Buffer.from([4, 1, ...portBytes, 0, 0, 0, 1, 0]), name, Buffer.from([0])]));
      expectByte(await take(socket, 8), 1, 90);
      return socket;
    }
    socket.write(Buffer.from([5, 1, 0]));
    expectByte(await take(socket, 2), 1, 0);
    const address =
      way === 'socks5' ? Buffer.from([1, 127, 0, 0, 1]) : Buffer.concat([Buffer.from([3, name.length]), name]);
    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), address, Buffer.from(portBytes)]));
    const head = await take(socket, 5);
    expectByte(head, 1, 0);
    const rest = { 1: 3, 3: head[4] as number, 4: 15 }[head[3] as number];
    if (rest === undefined) throw new Error(`the SOCKS server answers with address type ${head[3]}`);
    await take(socket, rest + 2);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function expectByte(reply: Buffer, at: number, value: number): void {
  if (reply[at] !== value) throw new Error(`the SOCKS server says ${reply[at]}`);
}

/** Exactly so many bytes; what follows stays in the socket. */
async function take(socket: net.Socket, count: number): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read(count) as Buffer | null;
    if (chunk !== null && chunk.length === count) return chunk;
    if (socket.readableEnded || socket.destroyed) throw new Error('the SOCKS server hung up');
    await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
  }
}
