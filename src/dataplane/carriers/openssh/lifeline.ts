// A kept connection to a master's control socket, to ask whether it lives: OpenSSH's PROTOCOL.mux, sections 2 and 5.
import net from 'node:net';

const message = { hello: 0x0000_0001, aliveCheck: 0x1000_0004, alive: 0x8000_0005 } as const;
const protocolVersion = 4;
/** Longer than any answer to what is asked here. */
const maxPacketBytes = 4096;

function packet(...words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + words.length * 4);
  for (const [i, word] of [words.length * 4, ...words].entries()) bytes.writeUInt32BE(word >>> 0, i * 4);
  return bytes;
}

export class Lifeline {
  /** Resolves with whether the master takes connections, which is when it is up. */
  readonly opened: Promise<boolean>;
  private readonly socket: net.Socket;
  private readonly waiting: Array<{ readonly id: number; resolve(alive: boolean): void }> = [];
  private received: Buffer = Buffer.alloc(0);
  private nextId = 1;
  private dead = false;

  constructor(controlPath: string) {
    this.socket = net.connect(controlPath);
    this.opened = new Promise((resolve) => {
      this.socket.once('connect', () => resolve(true)).once('close', () => resolve(false));
    });
    const end = () => this.die();
    this.socket.on('error', end).on('end', end).on('close', end);
    this.socket.on('data', (chunk: Buffer) => this.receive(chunk));
    this.socket.write(packet(message.hello, protocolVersion));
  }

  get alive(): boolean {
    return !this.dead;
  }

  /** Whether the master lives now: only the process itself can answer, so one that is being torn down doesn't. */
  check(): Promise<boolean> {
    if (this.dead) return Promise.resolve(false);
    const id = this.nextId++;
    return new Promise((resolve) => {
      this.waiting.push({ id, resolve });
      this.socket.write(packet(message.aliveCheck, id));
    });
  }

  close(): void {
    this.socket.destroy();
    this.die();
  }

  private die(): void {
    this.dead = true;
    for (const { resolve } of this.waiting.splice(0)) resolve(false);
  }

  private receive(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    while (this.received.length >= 4) {
      const length = this.received.readUInt32BE(0);
      if (length > maxPacketBytes) {
        this.close();
        return;
      }
      if (this.received.length < 4 + length) return;
      const payload = this.received.subarray(4, 4 + length);
      this.received = this.received.subarray(4 + length);
      if (length >= 8 && payload.readUInt32BE(0) === message.alive) this.answered(payload.readUInt32BE(4));
    }
  }

  private answered(id: number): void {
    const place = this.waiting.findIndex((waiter) => waiter.id === id);
    if (place >= 0) this.waiting.splice(place, 1)[0]?.resolve(true);
  }
}
