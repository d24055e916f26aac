import type { Duplex } from 'node:stream';
import type { Login } from './login.ts';
import type { Reply5 } from './reply.ts';
import { reply5, socks4Reply } from './reply.ts';
import { Socks4Parser } from './socks4.ts';
import { readSocks5 } from './socks5.ts';

/** Where a client wants to go. */
export interface SocksRequest {
  readonly host: string;
  readonly port: number;
  /** The bytes that answer it: `granted` or why not, in the client's version. */
  answer(code: Reply5): Buffer;
}

/** Why there is no request; `farewell` is what the client is told before the end, empty where nothing fits. */
export class SocksRefusal extends Error {
  readonly farewell: Buffer;
  /** A wrong user or password. */
  readonly login: boolean;

  constructor(message: string, farewell: Buffer = Buffer.alloc(0), login = false) {
    super(message);
    this.name = 'SocksRefusal';
    this.farewell = farewell;
    this.login = login;
  }
}

/** Names go to the far end as they are; this only keeps out what can be none. */
function usableHost(host: string): boolean {
  return host !== '' && !/[\u0000-\u0020\u007f\ufffd]/.test(host);
}

/**
 * Reads a SOCKS 4, 4a or 5 request from a stream that is paused. Afterwards the stream is paused again, bytes behind
 * the request still in it.
 * @param login what a client must give; a SOCKS 4 client can't and is refused then
 * @throws SocksRefusal; the signal's reason
 */
export async function readRequest(stream: Duplex, login: Login | null, signal: AbortSignal): Promise<SocksRequest> {
  const version = await feedFrom(stream, signal, (chunk) => {
    stream.unshift(chunk);
    return chunk[0] ?? 0;
  });
  const request =
    version === 4
      ? await readSocks4(stream, login, signal)
      : version === 5
        ? await readSocks5(stream, login, signal)
        : null;
  if (request === null) throw new SocksRefusal(`not a SOCKS client (first byte ${version})`);
  if (!usableHost(request.host)) {
    throw new SocksRefusal('the target is no usable name', request.answer(reply5.addressUnsupported));
  }
  if (request.port === 0) throw new SocksRefusal('port 0', request.answer(reply5.failure));
  return request;
}

async function readSocks4(stream: Duplex, login: Login | null, signal: AbortSignal): Promise<SocksRequest> {
  const parser = new Socks4Parser();
  const result = await feedFrom(stream, signal, (chunk) => {
    const found = parser.feed(chunk);
    if (found.is === 'request' && found.rest.length > 0) stream.unshift(found.rest);
    return found.is === 'more' ? null : found;
  });
  if (result.is === 'bad') throw new SocksRefusal(`SOCKS 4: ${result.why}`, socks4Reply(false));
  const { command, host, port } = result.request;
  if (login !== null) throw new SocksRefusal('SOCKS 4 has no password', socks4Reply(false), true);
  if (command !== 'connect') throw new SocksRefusal('SOCKS 4: only CONNECT is served', socks4Reply(false));
  return { host, port, answer: (code) => socks4Reply(code === reply5.granted) };
}

/**
 * Feeds a parser from a paused stream until it gives something else than null; the stream is paused again then.
 * The parser is called while the chunk arrives, and so may put back what it does not need: any later, a client that
 * has sent all it had would have ended the stream, which takes nothing back.
 * @throws SocksRefusal when the stream ends first; the signal's reason
 */
export function feedFrom<T>(stream: Duplex, signal: AbortSignal, feed: (chunk: Buffer) => T | null): Promise<T> {
  return new Promise((resolve, reject) => {
    const unhook = () => {
      stream.pause();
      stream.off('data', onData).off('end', onEnd).off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const hook = () => {
      signal.addEventListener('abort', onAbort);
      stream.on('data', onData).on('end', onEnd).on('close', onEnd);
      stream.resume();
    };
    const onData = (chunk: Buffer) => {
      // Unhooked first: what is put back must not come right back in.
      unhook();
      const result = feed(chunk);
      if (result === null) hook();
      else resolve(result);
    };
    const onEnd = () => {
      unhook();
      reject(new SocksRefusal('the client left'));
    };
    const onAbort = () => {
      unhook();
      reject(signal.reason);
    };
    if (signal.aborted) reject(signal.reason);
    else if (stream.destroyed || stream.readableEnded) reject(new SocksRefusal('the client left'));
    else hook();
  });
}
