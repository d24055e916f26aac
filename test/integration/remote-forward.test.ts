import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SallyportError } from '../../src/model/errors.ts';
import { ask, blob, connect, echo, fate, Plane, readAll, type Server, serve, sha } from '../support/plane.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

let plane: Plane;
const servers: Server[] = [];

beforeEach(() => {
  plane = new Plane();
});
afterEach(async () => {
  await plane.shutdown();
  for (const server of servers.splice(0)) server.close();
});

const keep = (server: Server) => {
  servers.push(server);
  return server;
};
const remote = (more: Record<string, unknown> = {}) => ({
  kind: 'remote',
  name: 'r',
  host: 'far',
  listen: { port: 0 },
  ...more,
});

test('carries to a target here, shows the granted port, half-closes, counts', async () => {
  const { port: target } = keep(await echo());
  const port = await plane.open(remote({ target: { host: '127.0.0.1', port: target } }));
  expect(plane.status('r')).toMatchObject({ at: `localhost:${port}` });
  const data = blob(4 << 20);
  const client = connect(port);
  client.end(data);
  expect(sha(await readAll(client))).toBe(sha(data));
  expect(plane.counts('r')).toMatchObject({ rx: data.length, tx: data.length, flowsTotal: 1 });
});

test('carries to a Unix socket here', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sally-'));
  keep(await echo({ path: path.join(dir, 's') }));
  const port = await plane.open(remote({ target: { socket: path.join(dir, 's') } }));
  expect(await ask(port, 'unix')).toBe('unix');
  rmSync(dir, { recursive: true });
});

test('a target that refuses resets the client', async () => {
  const port = await plane.open(remote({ target: { host: '127.0.0.1', port: await freePort() } }));
  expect(await fate(connect(port))).toBe('ECONNRESET');
  expect(plane.notes('target_refused')).toHaveLength(1);
});

test('without a target it is a SOCKS server', async () => {
  const { port: target } = keep(await echo());
  const port = await plane.open(remote());
  const client = connect(port);
  client.end(Buffer.from([5, 1, 0, 5, 1, 0, 3, 9, ...Buffer.from('localhost'), target >> 8, target & 255, 0x68, 0x69]));
  const answer = await readAll(client);
  expect(answer.subarray(12).toString()).toBe('hi');
});

test('listens again each time the link comes back', async () => {
  const { port: target } = keep(await echo());
  await plane.open(remote({ target: { host: '127.0.0.1', port: target } }));
  for (let i = 0; i < 3; i++) {
    plane.link.set(false);
    await until('opening', () => plane.status('r')?.is === 'opening');
    plane.link.set(true);
    const status = await until('open', () => {
      const last = plane.status('r');
      return last?.is === 'open' ? last : null;
    });
    expect(await ask(Number(status.at.split(':')[1]), 'back')).toBe('back');
  }
  expect(plane.of('listener').map(({ status }) => status.is)).toEqual([
    'opening',
    ...Array(3).fill(['open', 'opening']).flat(),
    'open',
  ]);
  await plane.stop('r');
  expect(plane.link.watchers).toBe(0);
  expect(plane.link.holds).toBe(0);
});

test('a port still held by its own dead session is waited for', async () => {
  const reclaim = new SallyportError('remote_port_reclaim', 'port 9000 is held by our dead session');
  plane.link.listenFailures.push(reclaim);
  const { port: target } = keep(await echo());
  expect(await plane.start(remote({ target: { host: '127.0.0.1', port: target } }))).toMatchObject({
    is: 'retrying',
    error: { code: 'remote_port_reclaim' },
    nextTry: expect.any(String),
  });
  await until('open', () => plane.status('r')?.is === 'open');
});

test('a port somebody else holds fails, until the link has been away', async () => {
  plane.link.listenFailures.push(new SallyportError('remote_port_taken', 'port 9000 is taken'));
  expect(await plane.start(remote())).toMatchObject({ is: 'failed', error: { code: 'remote_port_taken' } });
  plane.link.set(false);
  plane.link.set(true);
  await until('open', () => plane.status('r')?.is === 'open');
});

test('waits for a link that is not up yet, and stops while it waits', async () => {
  plane.link.set(false);
  const started = plane.start(remote());
  await until('opening', () => plane.status('r')?.is === 'opening');
  plane.link.set(true);
  expect(await started).toMatchObject({ is: 'open' });
  plane.link.set(false);
  await plane.stop('r');
  expect(plane.link.watchers).toBe(0);
});

test('stop leaves no far listener, and cuts what flows', async () => {
  const { port: target } = keep(await echo());
  const port = await plane.open(remote({ target: { host: '127.0.0.1', port: target } }));
  const client = connect(port);
  client.write('x');
  await once(client, 'data');
  const ended = fate(client);
  await plane.stop('r');
  expect(await ended).toBe('ECONNRESET');
  expect(await fate(connect(port))).toBe('ECONNREFUSED');
});

test('who is not on the list gets no stream', async () => {
  const { port: target } = keep(await echo());
  const port = await plane.open(remote({ deny: ['127.0.0.0/8'], target: { host: '127.0.0.1', port: target } }));
  expect(await fate(connect(port))).toBe('ECONNRESET');
  expect(plane.counts('r').refused).toBe(1);
});

test('a probe goes from the far end back to the target, between clients that lose nothing by it', async () => {
  const { port: target, sockets } = keep(await echo());
  const port = await plane.open(remote({ target: { host: '127.0.0.1', port: target } }), { probeMs: 5 });
  await until('good', () => plane.of('probe').some(({ status }) => status?.ok === true));
  const talks = Array.from({ length: 200 }, async (_, i) => {
    // Some say a word at once, some say nothing but that they are done.
    const said = i % 4 === 0 ? '' : `word ${i}`;
    await until('its turn', () => sockets.length >= i);
    expect(await ask(port, said)).toBe(said);
  });
  await Promise.all(talks);
  expect(plane.link.dialled.length).toBeGreaterThan(5);
  expect(plane.of('probe')).toHaveLength(1);
  await until('the flows to end', () => plane.counts('r').flows === 0);
  expect(plane.counts('r').flowsTotal).toBe(200);
});

test('a server that speaks first is not kept waiting by a probe that does not come back', async () => {
  const { port: target } = keep(await serve((socket) => socket.end('hello')));
  const listen = { address: '127.0.0.9', port: 0 };
  const port = await plane.open(remote({ listen, target: { host: '127.0.0.1', port: target } }), { probeMs: 5 });
  // What is dialled at the far end is another server there, which swallows what it is told.
  const lost = keep(await serve(() => {}, { host: '127.0.0.9', port }));
  await until('a probe on its way', () => lost.sockets.length > 0);
  const client = connect(port);
  expect((await readAll(client)).toString()).toBe('hello');
  expect(plane.of('probe').some(({ status }) => status?.ok === false)).toBe(false);
  await until('bad', () => plane.of('probe').some(({ status }) => status?.ok === false));
  expect(plane.of('probe').at(-1)?.status).toMatchObject({
    error: { code: 'probe_failed', message: expect.stringContaining('does not come back') },
  });
});
