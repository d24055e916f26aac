// A channel as a stream. It takes the place of ssh2's own Channel, which cannot be destroyed, never calls back writes
// once the channel is closed, shows a lost connection as a clean end, and holds its window at 2 MiB.
import { Duplex } from 'node:stream';
import { SallyportError } from '../../../model/errors.ts';
import type { Internals, OpenedChannel } from './internals.ts';

/** The most a channel's receive window grows to; what a reader that stops can make us hold. */
export const maxWindowBytes = 16 << 20;
/** Above this much waiting in the connection's socket, writers wait. */
const socketBacklogBytes = 4 << 20;

/**
 * Less than this in one packet is credited at once. sshd leaves Nagle's algorithm on where there is no session, so after
 * a short answer its EOF waits for our ACK, which the kernel delays by 40 ms unless something goes out with it.
 */
const smallBytes = 1024;

/** A window holds what is under way on a path this fast; a wider one only fills buffers, and slows a short path down. */
const pathBytesPerMs = 250_000;

/** What all channels of one connection together may widen their windows by, and how far one may, by the path's length. */
export class WindowBudget {
  private bytesLeft: number;
  /** Shortest round trip seen: a loaded path only looks longer. */
  private roundTripMs = Number.POSITIVE_INFINITY;

  constructor(bytes = 128 << 20) {
    this.bytesLeft = bytes;
  }

  observe(roundTripMs: number): void {
    this.roundTripMs = Math.min(this.roundTripMs, roundTripMs);
  }

  /** The most one channel's window is good for; nothing before the path is known. */
  widest(): number {
    return Number.isFinite(this.roundTripMs) ? Math.min(maxWindowBytes, this.roundTripMs * pathBytesPerMs) : 0;
  }

  take(bytes: number): boolean {
    if (bytes > this.bytesLeft) return false;
    this.bytesLeft -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.bytesLeft += bytes;
  }
}

/**
 * What ssh2's message handlers see in place of a Channel: exactly the fields they read and the methods they call.
 * `incoming.window` is endless there, because the stream keeps the account itself.
 */
class ChannelPort {
  readonly incoming: { id: number; window: number; state: string };
  readonly outgoing: { id: number; window: number; packetSize: number; state: string };
  readonly stderr = { readable: false, writable: false, push: () => true, emit: () => false };
  readonly type = 'direct-tcpip';
  readonly _client: Internals;
  readonly _exit = { code: undefined };
  readonly _callbacks: unknown[] = [];
  _waitChanDrain = false;
  _waitWindow = false;
  readonly _chunkcb: () => void;
  private readonly stream: ChannelStream;

  constructor(client: Internals, channel: OpenedChannel, stream: ChannelStream, onWindow: () => void) {
    this._client = client;
    this.incoming = { id: channel.incoming.id, window: Number.POSITIVE_INFINITY, state: 'open' };
    this.outgoing = { ...channel.outgoing, state: 'open' };
    this.stream = stream;
    this._chunkcb = onWindow;
  }

  get readable(): boolean {
    return this.incoming.state !== 'closed';
  }

  push(data: Buffer | null): boolean {
    this.stream.receive(data);
    return true;
  }

  /** ssh2 answers the peer's CLOSE with this; not when the connection died. */
  close(): void {
    if (this.outgoing.state !== 'open' && this.outgoing.state !== 'eof') return;
    this.outgoing.state = 'closing';
    try {
      this._client._protocol.channelClose(this.outgoing.id);
    } catch {
      // The connection is gone, and every channel with it.
    }
  }

  emit(event: string): boolean {
    if (event === 'close') this.stream.closedByPeer(this.outgoing.state !== 'closed');
    return true;
  }

  once(): void {}
  end(): void {}
}

/**
 * A half-open duplex with backpressure: `end` sends EOF, `destroy` closes the channel at once. When the connection is
 * lost it is destroyed with `host_lost`.
 */
export class ChannelStream extends Duplex {
  /** Payload bytes received so far. */
  bytesRead = 0;
  private readonly client: Internals;
  private readonly port: ChannelPort;
  private readonly budget: WindowBudget;
  /** What the peer may still send. */
  private window: number;
  /** What the window is topped up to; doubles while the reader keeps up. */
  private target: number;
  private readonly firstTarget: number;
  private grownAt = 0;
  /** The last packet was a small one: what the reader takes is credited at once. */
  private promptly = false;
  /** Whether anything went out on it yet. */
  private spoke = false;
  private gone = false;
  private dropped = false;
  private pending: { chunk: Buffer; done: (error?: Error | null) => void } | null = null;

  /** Takes `channel` over from ssh2; to be called in the very callback that hands it out. */
  constructor(client: Internals, channel: OpenedChannel, budget: WindowBudget) {
    super({ allowHalfOpen: true, readableHighWaterMark: 1 << 20, writableHighWaterMark: 256 << 10 });
    this.client = client;
    this.budget = budget;
    this.window = channel.incoming.window;
    this.target = this.window;
    this.firstTarget = this.window;
    this.port = new ChannelPort(client, channel, this, () => this.flush());
    // Whoever takes the stream may not listen yet when the connection goes.
    this.on('error', () => {});
    client._chanMgr.update(channel.incoming.id, this.port);
  }

  /**
   * Has a packet follow the peer's confirmation soon: the ACK that goes with it frees the target's first word, which sshd
   * would else hold back for 40 ms (see `smallBytes`). Where the client speaks first, its own words do that.
   */
  greet(): void {
    // A turn for what the client may have sent already to be read.
    setImmediate(() => setImmediate(() => this.spoke || this.credit(1)));
  }

  /** From ssh2: data, or null for EOF. */
  receive(data: Buffer | null): void {
    if (this.destroyed || this.readableEnded) return;
    if (data === null) {
      this.push(null);
      this.closeIfDone();
      return;
    }
    this.window -= data.length;
    this.bytesRead += data.length;
    if (this.window < 0) {
      this.destroy(new SallyportError('host_lost', 'the server sent more than the channel window allows'));
      return;
    }
    this.promptly = data.length < smallBytes;
    this.push(data);
    this.topUp();
  }

  /** From ssh2: the peer closed the channel, or (`lost`) the connection is gone. */
  closedByPeer(lost: boolean): void {
    this.gone = true;
    if (this.destroyed) return;
    if (lost) {
      this.destroy(new SallyportError('host_lost', 'the connection to the host was lost'));
      return;
    }
    // Many servers close without EOF when the target is done: what came is delivered, what goes on being written is
    // dropped until the reader has seen the end.
    if (!this.readableEnded) this.push(null);
    const pending = this.pending;
    this.pending = null;
    if (pending !== null) this.discard(pending.done);
  }

  /** Data comes when it comes; what the reader took is credited where it is taken. */
  override _read(): void {}

  override read(size?: number): unknown {
    // Node calls _read before it takes the chunk out, and not again until the next push, which a peer without credit
    // would never make.
    const chunk: unknown = super.read(size);
    this.topUp();
    return chunk;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.gone) {
      this.discard(done);
      return;
    }
    this.pending = { chunk, done };
    this.flush();
  }

  override _final(done: (error?: Error | null) => void): void {
    const { outgoing } = this.port;
    if (outgoing.state === 'open' && !this.gone) {
      outgoing.state = 'eof';
      this.spoke = true;
      this.tell((protocol) => protocol.channelEOF(outgoing.id));
      this.closeIfDone();
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.budget.give(this.target - this.firstTarget);
    this.target = this.firstTarget;
    const pending = this.pending;
    this.pending = null;
    if (!this.gone) this.port.close();
    pending?.done(error);
    done(error);
  }

  private discard(done: (error?: Error | null) => void): void {
    if (this.readableEnded) {
      done(Object.assign(new Error('the far end closed the connection'), { code: 'ECONNRESET' }));
      return;
    }
    if (!this.dropped) {
      this.dropped = true;
      this.once('end', () =>
        this.destroy(Object.assign(new Error('the far end closed the connection'), { code: 'ECONNRESET' })),
      );
    }
    done();
  }

  /** Both directions ended: the channel has no more use (RFC 4254 section 5.3). */
  private closeIfDone(): void {
    if (this.port.outgoing.state === 'eof' && this.port.incoming.state === 'eof') this.port.close();
  }

  private flush(): void {
    const { pending } = this;
    if (pending === null) return;
    const { outgoing } = this.port;
    const { _sock: socket } = this.client;
    this.spoke = true;
    let { chunk } = pending;
    this.tell((protocol) => {
      while (chunk.length > 0 && outgoing.window > 0) {
        const length = Math.min(chunk.length, outgoing.window, outgoing.packetSize);
        protocol.channelData(outgoing.id, length === chunk.length ? chunk : chunk.subarray(0, length));
        outgoing.window -= length;
        chunk = chunk.subarray(length);
      }
    });
    if (this.destroyed) return;
    if (chunk.length > 0) {
      pending.chunk = chunk;
      this.port._waitWindow = true;
      return;
    }
    this.pending = null;
    if (socket.writableLength > socketBacklogBytes) socket.once('drain', () => pending.done());
    else pending.done();
  }

  private topUp(): void {
    if (!this.receiving) return;
    const held = this.readableLength;
    const keepsUp = held <= this.target / 8;
    if (keepsUp && this.target < this.budget.widest() && this.bytesRead - this.grownAt >= this.target) {
      if (this.budget.take(this.target)) {
        this.grownAt = this.bytesRead;
        this.target *= 2;
      }
    }
    const credit = this.target - this.window - held;
    if (credit <= 0 || (credit < this.target / 4 && !this.promptly)) return;
    this.promptly = false;
    this.credit(credit);
  }

  private get receiving(): boolean {
    return !this.gone && !this.destroyed && this.port.incoming.state === 'open';
  }

  /** Lets the peer send so much more. */
  private credit(bytes: number): void {
    if (!this.receiving) return;
    this.spoke = true;
    this.window += bytes;
    this.tell((protocol) => protocol.channelWindowAdjust(this.port.outgoing.id, bytes));
  }

  /** ssh2 throws once its connection is gone, which may be a moment before it says so. */
  private tell(send: (protocol: Internals['_protocol']) => void): void {
    try {
      send(this.client._protocol);
    } catch (cause) {
      this.gone = true;
      this.destroy(new SallyportError('host_lost', 'the connection to the host was lost', '', { cause }));
    }
  }
}
