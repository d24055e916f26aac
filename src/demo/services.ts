// The services behind the demo's forwards, all on loopback.
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

export interface Service {
  readonly port: number;
  stop(): Promise<void>;
}

async function tcpService(onSocket: (socket: net.Socket) => void, port: number): Promise<Service> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Sends back what it is sent, and ends when the sender does. */
export function tcpEcho(port = 0): Promise<Service> {
  return tcpService((socket) => socket.pipe(socket), port);
}

/** Sends back every datagram. */
export async function udpEcho(): Promise<Service> {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.on('message', (message, peer) => socket.send(message, peer.port, peer.address));
  socket.on('error', () => {});
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    async stop() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

const block = randomBytes(16 * 1024);

/** Takes what it is sent; after a first line `RATE SECONDS`, sends at RATE bytes per second for so long, then ends. */
export function tcpSource(): Promise<Service> {
  return tcpService((socket) => {
    let asked = false;
    socket.on('data', (chunk) => {
      if (asked) return;
      asked = true;
      const [rate = 0, seconds = 0] = chunk.toString('latin1', 0, 40).split('\n')[0]?.split(' ').map(Number) ?? [];
      const end = Date.now() + seconds * 1000;
      const tick = setInterval(() => {
        if (Date.now() > end) socket.end();
        else if (socket.writable && socket.writableLength < block.length * 4) sendBlock(socket, rate / 10);
      }, 100);
      socket.on('close', () => clearInterval(tick));
    });
    socket.on('end', () => socket.end());
  }, 0);
}

function sendBlock(socket: net.Socket, bytes: number): void {
  for (let left = Math.round(bytes); left > 0; left -= block.length)
    socket.write(block.subarray(0, Math.min(left, block.length)));
}
