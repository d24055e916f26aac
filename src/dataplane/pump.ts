import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TokenBucket } from './rate.ts';
import { IntakeSocket } from './sockets/intake.ts';

/** Where a pump writes what it moved. */
export interface Meter {
  /** Bytes from the client to the target. */
  sent(bytes: number): void;
  /** Bytes the target sent back. */
  received(bytes: number): void;
}

export interface PumpLimits {
  readonly sending: TokenBucket | null;
  readonly receiving: TokenBucket | null;
}

/** Ends a stream so that the other side sees a reset where its kind has one, never an orderly end. */
export function reset(stream: Duplex): void {
  if (stream.destroyed) return;
  if (!(stream instanceof net.Socket)) {
    stream.destroy(new Error('reset'));
  } else if (stream.connecting || !isTcp(stream)) {
    // One not yet connected has nobody to send it to, a Unix socket has no reset.
    stream.destroy();
  } else if (stream.writableEnded && !stream.writableFinished && stream.writableLength === 0) {
    // While its FIN is under way the kernel handle refuses a reset, and would be lost.
    stream.once('finish', () => stream.resetAndDestroy());
  } else {
    stream.resetAndDestroy();
  }
}

/** An intake socket is one by its making; of another Node tells by asking the kernel for its peer. */
const isTcp = (socket: net.Socket): boolean => socket instanceof IntakeSocket || socket.remoteFamily !== undefined;

/**
 * Joins two half-open streams until both are closed: bytes both ways with backpressure, an end as an end, a reset as a
 * reset. The chunks read are the chunks written.
 * @param done called once, when both are closed
 */
export function pump(client: Duplex, target: Duplex, meter: Meter, limits: PumpLimits, done: () => void): void {
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open > 0) return;
    for (const stream of [client, target]) if (stream instanceof IntakeSocket) stream.release();
    done();
  };
  // Listeners on both before a byte moves: an error on one side must not find the other unready.
  watch(client, target, closed);
  watch(target, client, closed);
  carry(client, target, (bytes) => meter.sent(bytes), limits.sending);
  carry(target, client, (bytes) => meter.received(bytes), limits.receiving);
}

/** Tells `other` how `stream` ended. */
function watch(stream: Duplex, other: Duplex, closed: () => void): void {
  let failed = stream.errored !== null;
  stream.on('error', () => {
    failed = true;
  });
  const onClose = () => {
    if (failed || !stream.readableEnded) reset(other);
    // It said its last word, but takes none any more: let the other have that word, then hang up.
    else if (!stream.writableFinished) hangUp(other);
    closed();
  };
  // A stream that broke between its making and now has closed already.
  if (stream.closed) queueMicrotask(onClose);
  else stream.once('close', onClose);
}

function hangUp(stream: Duplex): void {
  if (stream.writableFinished) stream.destroy();
  else stream.once('finish', () => stream.destroy());
}

const waitsForDrain = 1;
const waitsForRate = 2;

function carry(from: Duplex, to: Duplex, count: (bytes: number) => void, bucket: TokenBucket | null): void {
  let held = 0;
  let timer: NodeJS.Timeout | undefined;
  const hold = (why: number) => {
    if (held === 0) from.pause();
    held |= why;
  };
  const free = (why: number) => {
    if (held === 0) return;
    held &= ~why;
    if (held === 0 && !from.destroyed) from.resume();
  };
  const passed = (chunk: Buffer) => {
    count(chunk.length);
    const waitMs = bucket === null ? 0 : bucket.spend(chunk.length);
    if (waitMs === 0) return;
    hold(waitsForRate);
    clearTimeout(timer);
    timer = setTimeout(free, waitMs, waitsForRate);
  };
  if (bucket !== null) from.once('close', () => clearTimeout(timer));
  if (from instanceof IntakeSocket) {
    // Its buffer is read into again at once, which is right as soon as the kernel has taken the chunk: mostly in the very
    // write. Only a socket tells that; a channel may keep the chunk for longer, and gets a copy.
    const keeps = !(to instanceof net.Socket);
    const written = () => {
      if (to.writableLength === 0) free(waitsForDrain);
    };
    from.sink = (chunk) => {
      to.write(keeps ? Buffer.from(chunk) : chunk, written);
      if (to.writableLength > 0) hold(waitsForDrain);
      passed(chunk);
      return held === 0;
    };
  } else {
    from.on('data', (chunk: Buffer) => {
      if (!to.write(chunk)) hold(waitsForDrain);
      passed(chunk);
    });
    to.on('drain', () => free(waitsForDrain));
  }
  // One that said all it had before it got here has ended already, and will not say so again.
  if (from.readableEnded) to.end();
  else from.on('end', () => to.end());
  from.resume();
}
