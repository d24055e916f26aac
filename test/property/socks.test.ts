import net from 'node:net';
// The wire parsers: however the bytes are cut, the same result; whatever the bytes, never a throw and never a hang.
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRequest, SocksRefusal } from '../../src/dataplane/socks/handshake.ts';
import { LoginParser } from '../../src/dataplane/socks/login.ts';
import { Socks4Parser } from '../../src/dataplane/socks/socks4.ts';

/** A client's end of a stream: what it sends is fixed, what it is told is kept. */
class Client extends Duplex {
  readonly told: Buffer[] = [];
  private readonly chunks: Buffer[];

  constructor(chunks: readonly Buffer[]) {
    super({ allowHalfOpen: true });
    this.chunks = [...chunks];
  }
  override _read(): void {
    this.push(this.chunks.shift() ?? null);
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.told.push(chunk);
    done();
  }
}

/** `bytes` cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}
const each = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.from([byte]));
const never = new AbortController().signal;

async function outcome(chunks: readonly Buffer[], login: { user: string; password: string } | null = null) {
  const client = new Client(chunks);
  const result = await readRequest(client, login, never).then(
    ({ host, port }) => ({ host, port }),
    (error: unknown) => {
      if (!(error instanceof SocksRefusal)) throw error;
      return { refused: [...error.farewell], why: error.message };
    },
  );
  const rest: Buffer[] = [];
  if (!('refused' in result)) for await (const chunk of client) rest.push(chunk);
  return { result, told: Buffer.concat(client.told).toString('hex'), rest: Buffer.concat(rest).toString('hex') };
}

const port = fc.integer({ min: 1, max: 65_535 });
const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const places = fc.array(fc.nat(600), { maxLength: 12 });
const hostName = fc.stringMatching(/^[a-z0-9.-]{1,255}$/);
const two = (value: number) => [value >> 8, value & 255];

const socks4 = fc.record({
  port,
  host: fc.oneof(fc.ipV4(), hostName),
  user: fc.stringMatching(/^[a-z]{0,20}$/),
  tail: bytes(40),
});
const wire4 = ({ port, host, user, tail }: { port: number; host: string; user: string; tail: Buffer }) => {
  const plain = net.isIPv4(host) && !host.startsWith('0.0.0.');
  const address = plain ? host.split('.').map(Number) : [0, 0, 0, 7];
  return Buffer.from([
    4,
    1,
    ...two(port),
    ...address,
    ...Buffer.from(user),
    0,
    ...(plain ? [] : [...Buffer.from(host), 0]),
    ...tail,
  ]);
};

const socks5 = fc.record({ port, host: hostName, tail: bytes(40), login: fc.boolean() });
const login = { user: 'user', password: 'password' };
const wire5 = ({ port, host, tail, login: asked }: { port: number; host: string; tail: Buffer; login: boolean }) =>
  Buffer.from([
    ...[5, 2, 0, 2],
    ...(asked ? [1, 4, ...Buffer.from(login.user), 8, ...Buffer.from(login.password)] : []),
    ...[5, 1, 0, 3, host.length, ...Buffer.from(host), ...two(port), ...tail],
  ]);

describe('the whole handshake', () => {
  test('SOCKS 4 and 4a, in any pieces, with what follows kept', async () => {
    await fc.assert(
      fc.asyncProperty(socks4, places, async (request, where) => {
        const whole = await outcome([wire4(request)]);
        expect(whole).toMatchObject({
          result: { host: request.host, port: request.port },
          rest: request.tail.toString('hex'),
        });
        expect(await outcome(cut(wire4(request), where))).toEqual(whole);
        expect(await outcome(each(wire4(request)))).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  test('SOCKS 5 with and without login, in any pieces, with what follows kept', async () => {
    await fc.assert(
      fc.asyncProperty(socks5, places, async (request, where) => {
        const asked = request.login ? login : null;
        const whole = await outcome([wire5(request)], asked);
        expect(whole).toMatchObject({
          result: { port: request.port },
          told: request.login ? '05020100' : '0500',
          rest: request.tail.toString('hex'),
        });
        expect(await outcome(cut(wire5(request), where), asked)).toEqual(whole);
        expect(await outcome(each(wire5(request)), asked)).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  test('addresses come out as written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 16, maxLength: 16 }), port, async (address, number) => {
        const six = await outcome([Buffer.from([5, 1, 0, 5, 1, 0, 4, ...address, ...two(number)])]);
        const { hostname } = new URL(
          `http://[${Buffer.from(address)
            .toString('hex')
            .replace(/(....)(?=.)/g, '$1:')}]/`,
        );
        if (!hostname.startsWith('[::ffff:')) expect(six.result).toEqual({ host: hostname.slice(1, -1), port: number });
        const four = await outcome([Buffer.from([5, 1, 0, 5, 1, 0, 1, ...address.slice(0, 4), ...two(number)])]);
        expect(four.result).toEqual({ host: address.slice(0, 4).join('.'), port: number });
      }),
      { numRuns: 60 },
    );
  });

  test('garbage is refused or understood, never thrown at us, and cut in pieces all the same', async () => {
    const start = fc.constantFrom(
      [],
      [4],
      [4, 1],
      [5],
      [5, 1, 0],
      [5, 1, 0, 5],
      [5, 1, 0, 5, 1, 0],
      [5, 0],
      [5, 1, 2, 1],
    );
    await fc.assert(
      fc.asyncProperty(start, bytes(300), places, fc.boolean(), async (head, tail, where, asked) => {
        const wire = Buffer.from([...head, ...tail]);
        const whole = await outcome([wire], asked ? login : null);
        expect(await outcome(cut(wire, where), asked ? login : null)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });
});

test('the SOCKS 4 parser bounds what it keeps', () => {
  const parser = new Socks4Parser();
  expect(parser.feed(Buffer.from([4, 1, 0, 80, 0, 0, 0, 1]))).toEqual({ is: 'more' });
  expect(parser.feed(Buffer.alloc(1000, 0x61))).toMatchObject({ is: 'bad' });
});

test('the login parser gives back user, password and rest', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 255 }),
      fc.uint8Array({ minLength: 1, maxLength: 255 }),
      bytes(20),
      (user, password, rest) => {
        const wire = Buffer.from([1, user.length, ...user, password.length, ...password, ...rest]);
        expect(new LoginParser().feed(wire)).toEqual({
          is: 'login',
          user: Buffer.from(user),
          password: Buffer.from(password),
          rest,
        });
      },
    ),
  );
});
