// What a server says before it names its protocol version, RFC 4253 section 4.2: any number of lines. ssh2 1.17.0
// loses bytes when they come in three pieces or more, and copies ten megabytes over and over; so only the version line
// reaches it, whole.

const maxBytes = 64 << 10;

interface Parser {
  parse(chunk: Buffer, at: number, end: number): void;
}

/** Where the version line starts, once it is there in full; -1 before. */
export function versionLine(data: Buffer): number {
  let start = 0;
  for (;;) {
    const end = data.indexOf(10, start);
    if (end < 0) return -1;
    if (data.toString('latin1', start, start + 4) === 'SSH-') return start;
    start = end + 1;
  }
}

/** Holds back what arrives until the version line is whole. Call it right after ssh2's `connect`. */
export function gateIdent(parser: Parser): void {
  const parse = parser.parse.bind(parser);
  let held: Buffer = Buffer.alloc(0);
  parser.parse = (chunk, at, end) => {
    held = Buffer.concat([held, chunk.subarray(at, end)]);
    const start = versionLine(held);
    if (start < 0) {
      if (held.length > maxBytes) throw new Error(`${maxBytes >> 10} KiB came, and no SSH version among it`);
      return;
    }
    parser.parse = parse;
    parse(held.subarray(start), 0, held.length - start);
  };
}
