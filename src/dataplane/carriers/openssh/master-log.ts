// What the master's log (ssh at LogLevel DEBUG1) says that a carrier needs to know.

export type LogEvent =
  | { readonly is: 'kex'; readonly algorithm: string }
  | { readonly is: 'cipher'; readonly cipher: string }
  | { readonly is: 'version'; readonly software: string }
  | { readonly is: 'authenticated'; readonly address: string }
  | { readonly is: 'interactive' }
  /** A connection to one of our sockets was taken; the next `channel` is its. */
  | { readonly is: 'requested'; readonly target: string }
  | { readonly is: 'channel'; readonly channel: number }
  | { readonly is: 'confirmed'; readonly channel: number }
  | { readonly is: 'refused'; readonly channel: number; readonly reason: string }
  /** The server has a connection for one of our remote forwards. */
  | { readonly is: 'incoming'; readonly port: number; readonly address: string; readonly originPort: number };

/** As ssh logs a target: the host is cut, and a Unix socket has the port -2. */
export function loggedTarget(host: string, port: number): string {
  return `${Buffer.from(host).subarray(0, 100)}\0${port}`;
}

type Reader = readonly [RegExp, (found: RegExpExecArray) => LogEvent];

const text = (found: RegExpExecArray, group: number) => found[group] ?? '';
const number = (found: RegExpExecArray, group: number) => Number(found[group]);

const readers: readonly Reader[] = [
  [
    /^debug1: Connection to port -?\d+ forwarding to (.*) port (-?\d+) requested\.$/,
    (found) => ({ is: 'requested', target: loggedTarget(text(found, 1), number(found, 2)) }),
  ],
  [/^debug1: channel (\d+): new \[?direct-/, (found) => ({ is: 'channel', channel: number(found, 1) })],
  [/^debug2: .*\bchannel (\d+): open confirm /, (found) => ({ is: 'confirmed', channel: number(found, 1) })],
  [
    /^channel (\d+): open failed: (.*)$/,
    (found) => ({ is: 'refused', channel: number(found, 1), reason: text(found, 2) }),
  ],
  [
    /^debug1: client_request_forwarded_tcpip: listen .* port (\d+), originator (\S+) port (\d+)$/,
    (found) => ({
      is: 'incoming',
      port: number(found, 1),
      address: text(found, 2),
      originPort: number(found, 3),
    }),
  ],
  [/^debug1: Entering interactive session\.$/, () => ({ is: 'interactive' })],
  [/^debug1: kex: algorithm: (\S+)/, (found) => ({ is: 'kex', algorithm: text(found, 1) })],
  [/^debug1: kex: server->client cipher: (\S+)/, (found) => ({ is: 'cipher', cipher: text(found, 1) })],
  [
    /^debug1: Remote protocol version \S+, remote software version (.*)$/,
    (found) => ({ is: 'version', software: text(found, 1) }),
  ],
  [
    /^Authenticated to (\S+) \((?:\[(.*)\]:(\d+)|via proxy)\)/,
    (found) => ({
      is: 'authenticated',
      address: found[2] === undefined ? `${text(found, 1)} (via proxy)` : endpoint(found[2], text(found, 3)),
    }),
  ],
];

const endpoint = (address: string, port: string) =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

export function readLogLine(line: string): LogEvent | null {
  for (const [pattern, event] of readers) {
    const found = pattern.exec(line);
    if (found !== null) return event(found);
  }
  return null;
}

/** Cuts a stream of log text into lines; one longer than `maxLength` (a banner may be anything) loses its rest. */
export class LineCutter {
  private rest = '';
  private readonly take: (line: string) => void;
  private readonly maxLength: number;

  constructor(take: (line: string) => void, maxLength = 4096) {
    this.take = take;
    this.maxLength = maxLength;
  }

  push(chunk: string): void {
    const lines = chunk.split('\n');
    lines[0] = this.rest + lines[0];
    this.rest = (lines.pop() as string).slice(0, this.maxLength);
    for (const line of lines) this.take(line.slice(0, this.maxLength).replace(/\r+$/, ''));
  }
}
