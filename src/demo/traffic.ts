// Sample traffic with ups and downs, so that there is something to see.

import dgram from 'node:dgram';
import type net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { dialTcp } from './exchange.ts';
import { socksDial } from './socks-dial.ts';
import type { Cast, Stage } from './stage.ts';

const kilobyte = 1000;

/** Runs until the signal; a way that is down for a while is tried again. */
export function playTraffic(stage: Stage, cast: Cast, signal: AbortSignal): void {
  const wave = (period: number, low: number, high: number) =>
    Math.round(
      low +
        (high - low) * (0.5 + 0.5 * Math.sin((Date.now() / 1000 / period) * 2 * Math.PI)) * (0.7 + 0.3 * Math.random()),
    );
  const repeat = (everyMs: number, act: () => Promise<void>) => {
    const loop = async () => {
      while (!signal.aborted) {
        await act().catch(() => {});
        await delay(everyMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
      }
    };
    void loop();
  };
  repeat(1200, async () => download(await dialTcp(cast.port('intranet')), wave(40, 60, 1400) * kilobyte, 6, signal));
  repeat(4000, async () => download(await dialTcp(cast.port('intranet')), wave(15, 20, 300) * kilobyte, 3, signal));
  repeat(2500, async () =>
    download(
      await socksDial('socks5-name', cast.port('socks'), stage.source.port),
      wave(23, 10, 500) * kilobyte,
      4,
      signal,
    ),
  );
  repeat(1500, async () => upload(await dialTcp(cast.port('publish')), wave(30, 5, 200) * kilobyte, 3, signal));
  repeat(800, async () => upload(await dialTcp(cast.port('game')), wave(10, 2, 60) * kilobyte, 5, signal));
  repeat(100, async () => chatter(cast.port('voice'), signal));
  // The call that opens the trigger, made again before its time is over.
  repeat(20_000, async () => upload(await socksDial('socks5', cast.port('socks'), stage.chat.port), 200, 10, signal));
}

/** Asks the source for bytes at a rate and reads them. */
function download(socket: net.Socket, rate: number, seconds: number, signal: AbortSignal): Promise<void> {
  socket.write(`${Math.round(rate)} ${seconds}\n`);
  return played(socket, signal);
}

/** Sends at a rate; what is echoed is read and forgotten. */
function upload(socket: net.Socket, rate: number, seconds: number, signal: AbortSignal): Promise<void> {
  const chunk = Buffer.alloc(Math.max(1, Math.round(rate / 5)), 'sallyport ');
  let left = seconds * 5;
  const tick = setInterval(() => {
    if (left-- <= 0) socket.end();
    else if (socket.writableLength < chunk.length * 4) socket.write(chunk);
  }, 200);
  socket.on('close', () => clearInterval(tick));
  return played(socket, signal);
}

function played(socket: net.Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => socket.destroy();
    signal.addEventListener('abort', stop);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    socket.resume();
  });
}

/** A talk in small datagrams, 20 a second. */
async function chatter(port: number, signal: AbortSignal): Promise<void> {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => {});
  try {
    for (let i = 0; i < 200 && !signal.aborted; i++) {
      socket.send(Buffer.alloc(160), port, '127.0.0.1');
      await delay(50, undefined, { signal });
    }
  } finally {
    socket.close();
  }
}
