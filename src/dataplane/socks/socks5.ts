// SOCKS 5, RFC 1928. The package's parser reads the greeting and the request; it is resumable, gives back what lies
// behind, and knows the three address types. Around it is ours what it lacks: it stops at CONNECT, answers refusals
// with two bytes, goes on listening after a wrong version, and its login mixes clients up.
import type { Duplex } from 'node:stream';
import Parser from 'socksv5/lib/server.parser.js';
import { normalAddress } from '../../model/cidr.ts';
import type { SocksRequest } from './handshake.ts';
import { feedFrom, SocksRefusal } from './handshake.ts';
import type { Login } from './login.ts';
import { LoginParser, loginMatches } from './login.ts';
import type { Reply5 } from './reply.ts';
import { reply5, socks5Reply } from './reply.ts';

const methodNone = 0x00;
const methodLogin = 0x02;
const noMethod = Buffer.from([5, 0xff]);

export async function readSocks5(stream: Duplex, login: Login | null, signal: AbortSignal): Promise<SocksRequest> {
  const parser = new Parser(stream);
  const answer = (code: Reply5) => socks5Reply(code);
  try {
    const [methods] = await heard(parser, 'methods', stream, signal);
    const method = login === null ? methodNone : methodLogin;
    if (!methods.includes(method)) {
      throw new SocksRefusal(login === null ? 'no method in common' : 'no password given', noMethod, login !== null);
    }
    stream.write(Buffer.from([5, method]));
    if (login !== null) await checkLogin(stream, login, signal);
    parser.authed = true;
    parser.start();
    const [request] = await heard(parser, 'request', stream, signal);
    if (request.cmd !== 'connect') {
      throw new SocksRefusal(`command not supported: ${request.cmd}`, answer(reply5.commandUnsupported));
    }
    const { dstAddr, dstPort } = request;
    return { host: normalAddress(dstAddr) ?? dstAddr, port: dstPort, answer };
  } finally {
    parser.stop();
  }
}

interface Heard {
  methods: [Buffer];
  request: [{ cmd: 'connect' | 'bind' | 'udp'; dstAddr: string; dstPort: number }];
}

/** The parser's next event of that name. */
function heard<E extends keyof Heard>(
  parser: Parser,
  event: E,
  stream: Duplex,
  signal: AbortSignal,
): Promise<Heard[E]> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      parser.removeAllListeners();
      // It may speak of an error once more before it is stopped.
      parser.on('error', () => {});
      stream.off('end', onEnd).off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown) => {
      settle();
      reject(error);
    };
    const onEnd = () => fail(new SocksRefusal('the client left'));
    const onAbort = () => fail(signal.reason);
    if (signal.aborted) return reject(signal.reason);
    if (stream.destroyed || stream.readableEnded) return reject(new SocksRefusal('the client left'));
    const emitter: NodeJS.EventEmitter = parser;
    emitter.once(event, (value: Heard[E][0]) => {
      settle();
      resolve([value] as Heard[E]);
    });
    parser.once('error', (error) => fail(refusalFor(error.message)));
    stream.on('end', onEnd).on('close', onEnd);
    signal.addEventListener('abort', onAbort);
  });
}

/** The package tells what was wrong by its message alone. */
function refusalFor(message: string): SocksRefusal {
  if (message.includes('command')) return new SocksRefusal(message, socks5Reply(reply5.commandUnsupported));
  if (message.includes('address type')) return new SocksRefusal(message, socks5Reply(reply5.addressUnsupported));
  if (message.includes('methods')) return new SocksRefusal(message, noMethod);
  return new SocksRefusal(message);
}

async function checkLogin(stream: Duplex, login: Login, signal: AbortSignal): Promise<void> {
  const parser = new LoginParser();
  const result = await feedFrom(stream, signal, (chunk) => {
    const found = parser.feed(chunk);
    if (found.is === 'login' && found.rest.length > 0) stream.unshift(found.rest);
    return found.is === 'more' ? null : found;
  });
  if (result.is === 'bad' || !loginMatches(login, result.user, result.password)) {
    throw new SocksRefusal('wrong user or password', Buffer.from([1, 1]), true);
  }
  stream.write(Buffer.from([1, 0]));
}
