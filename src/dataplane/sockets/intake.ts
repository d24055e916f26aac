import net from 'node:net';

/** What the kernel is asked for at a time; the same as Node's own streams ask for. */
const bufferBytes = 65_536;
/** Buffers kept for the next sockets: making one costs more than a short connection's bytes. */
const mostSpare = 256;
const spare: Buffer[] = [];

/** Takes a chunk; false when no more may be read until `resume`, because the chunk is still in use. */
export type Sink = (chunk: Buffer) => boolean;

/**
 * A TCP socket that reads into one buffer of its own, over and over, and gives the chunks to a sink instead of emitting
 * `data`. A stream of Node's allocates a buffer for each read; without that a relay moves about half as much again.
 * The buffer costs address space, and memory only as far as reads have filled it. It starts paused.
 */
export class IntakeSocket extends net.Socket {
  sink: Sink | null = null;
  private buffer: Buffer | null;

  constructor(
    options: net.SocketConstructorOpts & { readonly handle?: unknown; readonly pauseOnCreate?: boolean } = {},
  ) {
    let self: IntakeSocket | null = null;
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    super({
      ...options,
      onread: {
        buffer,
        callback: (bytes) => {
          if (self === null || self.sink === null) throw new Error('read before there was a sink');
          return self.sink(buffer.subarray(0, bytes));
        },
      },
    });
    self = this;
    this.buffer = buffer;
  }

  /** Gives its buffer to the next socket. Only once it is closed, and so is all its chunks were written to. */
  release(): void {
    if (this.buffer !== null && spare.length < mostSpare) spare.push(this.buffer);
    this.buffer = null;
  }
}

interface Accepted {
  _handle: unknown;
}

/**
 * The same connection as an IntakeSocket. There is no public way to have a server make one, so the kernel handle is
 * moved over; should a Node to come keep it elsewhere, the socket is given back as it is, which is slower and no less right.
 * @param accepted paused, nothing read from it yet
 */
export function takeOver(accepted: net.Socket): net.Socket {
  const handle = (accepted as unknown as Accepted)._handle;
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return accepted;
  (accepted as unknown as Accepted)._handle = null;
  return new IntakeSocket({ handle: handle as never, allowHalfOpen: true, pauseOnCreate: true });
}
