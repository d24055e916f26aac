// SOCKS 4 and 4a, which the socksv5 package does not have, and `ssh -D` users expect.

/** What a client asked for. */
export interface Socks4Request {
  readonly command: 'connect' | 'bind' | 'other';
  /** An IPv4 address, or with 4a a name for the far end to resolve. */
  readonly host: string;
  readonly port: number;
}

export type Socks4Result =
  | { readonly is: 'more' }
  | { readonly is: 'bad'; readonly why: string }
  /** `rest`: bytes of the chunk behind the request, which belong to the flow. */
  | { readonly is: 'request'; readonly request: Socks4Request; readonly rest: Buffer };

const headLength = 8;
const longestUser = 255;
const longestName = 255;

/** Resumable: takes the bytes in any pieces, version byte first. After `bad` or `request` it must not be fed again. */
export class Socks4Parser {
  private readonly head = Buffer.alloc(headLength);
  private filled = 0;
  private userLength = 0;
  private state: 'head' | 'user' | 'name' = 'head';
  private readonly name: number[] = [];

  feed(chunk: Buffer): Socks4Result {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      const result = this.step(byte);
      if (result === null) continue;
      return typeof result === 'string'
        ? { is: 'bad', why: result }
        : { is: 'request', request: result, rest: chunk.subarray(i + 1) };
    }
    return { is: 'more' };
  }

  /** Null for more, text for why it is bad. */
  private step(byte: number): Socks4Request | string | null {
    switch (this.state) {
      case 'head':
        this.head[this.filled++] = byte;
        if (this.filled === 1 && byte !== 4) return 'not SOCKS 4';
        if (this.filled === headLength) this.state = 'user';
        return null;
      case 'user':
        if (byte !== 0) return ++this.userLength > longestUser ? 'user id too long' : null;
        if (!this.named) return this.request(this.address);
        this.state = 'name';
        return null;
      case 'name':
        if (byte !== 0) {
          this.name.push(byte);
          return this.name.length > longestName ? 'name too long' : null;
        }
        return this.name.length === 0 ? 'empty name' : this.request(Buffer.from(this.name).toString('utf8'));
    }
  }

  /** SOCKS 4a: an address of 0.0.0.x with x not zero says that a name follows. */
  private get named(): boolean {
    const [a, b, c, d] = this.head.subarray(4);
    return a === 0 && b === 0 && c === 0 && d !== 0;
  }

  private get address(): string {
    return this.head.subarray(4).join('.');
  }

  private request(host: string): Socks4Request {
    const code = this.head[1];
    return { command: code === 1 ? 'connect' : code === 2 ? 'bind' : 'other', host, port: this.head.readUInt16BE(2) };
  }
}
