import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SallyportError } from '../../src/model/errors.ts';
import { blob, connect, echo, fate, Plane, readAll, type Server, sha } from '../support/plane.ts';
import { freePort } from '../support/ports.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
let plane: Plane;
let dir: string;
const servers: { close(): void }[] = [];

beforeEach(() => {
  plane = new Plane();
  dir = mkdtempSync(path.join(os.tmpdir(), 'sally-'));
});
afterEach(async () => {
  await plane.shutdown();
  for (const server of servers.splice(0)) server.close();
  rmSync(dir, { recursive: true });
});

const keep = (server: Server) => {
  servers.push(server);
  return server;
};
const dynamic = (more: Record<string, unknown> = {}) => ({
  kind: 'dynamic',
  name: 'd',
  host: 'far',
  listen: { port: 0 },
  ...more,
});

async function web(body: Buffer): Promise<number> {
  const server = http.createServer((_, response) => response.end(body));
  servers.push({ close: () => void server.close() });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

/** Sends bytes to a SOCKS listener, gives back the first answer. */
async function say(port: number, bytes: readonly number[]): Promise<Buffer> {
  const client = connect(port);
  client.write(Buffer.from(bytes));
  const [answer] = await once(client, 'data');
  client.destroy();
  return answer;
}

describe.skipIf(missing('curl'))('curl', () => {
  test.each(['--socks5', '--socks5-hostname', '--socks4', '--socks4a'])('%s fetches the whole page', async (flag) => {
    const body = blob(1 << 20);
    const target = await web(body);
    const port = await plane.open(dynamic());
    const { stdout } = await run(
      'curl',
      ['-sS', '-m', '10', flag, `127.0.0.1:${port}`, `http://localhost:${target}/`],
      {
        encoding: 'buffer',
        maxBuffer: 1 << 24,
      },
    );
    expect(sha(stdout)).toBe(sha(body));
    const named = flag === '--socks5-hostname' || flag === '--socks4a';
    expect(plane.link.dialled).toEqual([{ host: named ? 'localhost' : '127.0.0.1', port: target }]);
    expect(plane.counts('d').rx).toBeGreaterThanOrEqual(body.length);
  });

  test('a user and password: right, wrong, none, and SOCKS 4 which has none', async () => {
    const target = await web(Buffer.from('secret page'));
    const passwordFile = path.join(dir, 'password');
    writeFileSync(passwordFile, 'o:p@n sesame\n', { mode: 0o600 });
    const port = await plane.open(dynamic({ login: { user: 'ali', passwordFile } }));
    const fetch = (...args: string[]) => run('curl', ['-sS', '-m', '10', ...args, `http://127.0.0.1:${target}/`]);
    const proxy = ['--socks5', `127.0.0.1:${port}`];
    expect((await fetch(...proxy, '--proxy-user', 'ali:o:p@n sesame')).stdout).toBe('secret page');
    for (const user of [['--proxy-user', 'ali:wrong'], ['--proxy-user', 'baba:o:p@n sesame'], []]) {
      await expect(fetch(...proxy, ...user)).rejects.toThrow();
    }
    await expect(fetch('--socks4', `127.0.0.1:${port}`)).rejects.toThrow();
    const notes = plane.notes('socks_login_failed');
    expect(notes.length).toBeGreaterThan(0);
    expect(JSON.stringify(plane.events)).not.toContain('sesame');
  });
});

test('a password file that others may read is refused', async () => {
  const passwordFile = path.join(dir, 'password');
  writeFileSync(passwordFile, 'x', { mode: 0o644 });
  expect(await plane.start(dynamic({ login: { user: 'ali', passwordFile } }))).toMatchObject({
    is: 'failed',
    error: { code: 'bad_value', hint: expect.stringContaining('chmod 600') },
  });
});

describe('replies', () => {
  const greeting = [5, 1, 0];
  const ask5 = async (request: readonly number[]) => {
    const port = await plane.open(dynamic());
    const client = connect(port);
    client.write(Buffer.from(greeting));
    expect((await once(client, 'data'))[0]).toEqual(Buffer.from([5, 0]));
    client.write(Buffer.from(request));
    return readAll(client);
  };
  const to = (port: number) => [5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255];

  test('refused', async () => {
    expect([...(await ask5(to(await freePort())))]).toEqual([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
  });
  test('unknown command, BIND and UDP ASSOCIATE', async () => {
    for (const command of [9, 2, 3]) {
      expect([...(await ask5([5, command, ...to(80).slice(2)]))].slice(0, 2)).toEqual([5, 7]);
    }
  });
  test('unknown address type, and an empty name', async () => {
    expect((await ask5([5, 1, 0, 9, 1, 1, 1, 1, 0, 80]))[1]).toBe(8);
    expect((await ask5([5, 1, 0, 3, 0, 0, 80]))[1]).toBe(8);
  });
  test.each([
    ['target_unreachable', 4],
    ['target_prohibited', 2],
    ['target_timeout', 6],
    ['unsupported', 2],
    ['host_lost', 1],
  ] as const)('%s is %i', async (code, reply) => {
    plane.link.dial = async () => {
      throw new SallyportError(code, 'no');
    };
    expect((await ask5(to(80)))[1]).toBe(reply);
  });
  test('no method in common', async () => {
    const port = await plane.open(dynamic());
    expect([...(await say(port, [5, 1, 2]))]).toEqual([5, 0xff]);
  });
  test('SOCKS 4: granted and refused', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(dynamic());
    const request = (p: number) => [4, 1, p >> 8, p & 255, 127, 0, 0, 1, 0x62, 0];
    expect([...(await say(port, request(target)))].slice(0, 2)).toEqual([0, 90]);
    expect([...(await say(port, request(await freePort())))].slice(0, 2)).toEqual([0, 91]);
  });
  test('IPv6 addresses and what is sent along with the request', async () => {
    const { port: target } = keep(await echo({ host: '::1', port: 0 }));
    const port = await plane.open(dynamic());
    const loopback = [...Array<number>(15).fill(0), 1];
    const client = connect(port);
    client.end(Buffer.from([...greeting, 5, 1, 0, 4, ...loopback, target >> 8, target & 255, ...Buffer.from('early')]));
    const answer = await readAll(client);
    expect([...answer.subarray(0, 12)]).toEqual([5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(answer.subarray(12).toString()).toBe('early');
    expect(plane.link.dialled).toEqual([{ host: '::1', port: target }]);
    expect(plane.counts('d')).toMatchObject({ rx: 5, tx: 5 });
  });
});

test('the end of a client that sends nothing more crosses, even when it came with the request', async () => {
  const { port: target } = keep(await echo());
  const port = await plane.open(dynamic());
  const client = connect(port);
  client.write(Buffer.from([5, 1, 0]));
  await once(client, 'data');
  client.end(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255]));
  expect(await readAll(client)).toHaveLength(10);
  await until('the flow to end', () => plane.flows().length === 0);
});

test('a client that is none is reset, one that leaves is forgotten', async () => {
  const port = await plane.open(dynamic());
  const client = connect(port);
  client.write('GET / HTTP/1.1\r\n\r\n');
  expect(await fate(client)).toBe('ECONNRESET');
  const leaver = connect(port);
  leaver.write(Buffer.from([5]));
  await until('the flow', () => plane.flows().length === 1);
  leaver.destroy();
  await until('no flow', () => plane.flows().length === 0);
});

test('a client that says nothing is dropped within ten seconds', { timeout: 20_000 }, async () => {
  const port = await plane.open(dynamic());
  const began = performance.now();
  expect(await fate(connect(port))).toBe('ECONNRESET');
  expect(performance.now() - began).toBeLessThan(11_000);
  expect(plane.counts('d').flows).toBe(0);
});

test('a client that waits in the handshake can be killed', async () => {
  const port = await plane.open(dynamic());
  const client = connect(port);
  await until('the flow', () => plane.flows().length === 1);
  plane.send({ do: 'kill', request: 1, flow: plane.flows()[0]?.id ?? '' });
  expect(await fate(client)).toBe('ECONNRESET');
});
