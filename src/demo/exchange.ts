// Pushes bytes through a way and compares what comes back.
import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Sends random bytes to an echo at the far end of `socket`; resolves with the bytes moved, both ways together. */
export async function exchangeTcp(socket: net.Socket, size: number, timeoutMs: number): Promise<number> {
  const sent = randomBytes(size);
  const overdue = setTimeout(() => socket.destroy(new Error(`no end after ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    socket.end(sent);
    const received = await buffer(socket);
    if (received.length !== size) throw new Error(`${received.length} of ${size} bytes came back`);
    if (sha256(received) !== sha256(sent)) throw new Error('other bytes came back than were sent');
    return sent.length + received.length;
  } finally {
    clearTimeout(overdue);
    socket.destroy();
  }
}

const datagram = 1200;
const inFlight = 32;
const answerMs = 2000;

/** The same with datagrams, some at a time, each awaited. */
export async function exchangeUdp(port: number, size: number): Promise<number> {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  const sent = createHash('sha256');
  const received = createHash('sha256');
  const waiting = new Map<number, (payload: Buffer) => void>();
  socket.on('message', (message) => waiting.get(message.readUInt32BE(0))?.(message));
  socket.on('error', () => {});
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  try {
    let moved = 0;
    for (let number = 0; number * datagram < size; number += inFlight) {
      const batch = Array.from({ length: inFlight }, (_, i) => {
        const payload = randomBytes(datagram);
        payload.writeUInt32BE(number + i, 0);
        return payload;
      });
      const echoes = await Promise.all(batch.map((payload, i) => roundTrip(socket, waiting, number + i, payload)));
      for (const payload of batch) sent.update(payload);
      for (const payload of echoes) received.update(payload);
      moved += 2 * datagram * inFlight;
    }
    if (sent.digest('hex') !== received.digest('hex')) throw new Error('other bytes came back than were sent');
    return moved;
  } finally {
    socket.close();
  }
}

/** One datagram and its echo. UDP may lose one on a busy machine, so it is sent again. */
async function roundTrip(
  socket: dgram.Socket,
  waiting: Map<number, (payload: Buffer) => void>,
  id: number,
  payload: Buffer,
): Promise<Buffer> {
  const echo = Promise.withResolvers<Buffer>();
  waiting.set(id, echo.resolve);
  const again = setInterval(() => socket.send(payload), answerMs / 10);
  const overdue = setTimeout(() => echo.reject(new Error('a datagram did not come back')), answerMs);
  socket.send(payload);
  try {
    return await echo.promise;
  } finally {
    clearInterval(again);
    clearTimeout(overdue);
    waiting.delete(id);
  }
}

/** A connection to a listener on this machine. */
export async function dialTcp(port: number, host = '127.0.0.1'): Promise<net.Socket> {
  const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** Whether nobody takes a connection there. */
export async function isRefused(port: number, host: string): Promise<boolean> {
  try {
    const socket = await dialTcp(port, host);
    socket.destroy();
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return true;
    throw error;
  }
}

/** Asks until the answer is yes. */
export async function eventually(what: string, question: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await question())) {
    if (Date.now() > end) throw new Error(`${what} not within ${timeoutMs / 1000} s`);
    await delay(50);
  }
}
