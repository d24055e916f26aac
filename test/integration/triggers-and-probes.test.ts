import { spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TriggerWatch } from '../../src/dataplane/messages.ts';
import { SallyportError } from '../../src/model/errors.ts';
import { ask, connect, echo, fate, Plane, type Server } from '../support/plane.ts';
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
const watch = (ports: number | string, more: Partial<TriggerWatch> = {}): TriggerWatch => ({
  name: 'irc',
  on: [{ proto: 'both', ports: String(ports) }],
  from: [],
  to: [],
  ...more,
});
const arm = (...watches: TriggerWatch[]) => plane.send({ do: 'triggers', watches });
const local = (port: number, more: Record<string, unknown> = {}) => ({
  kind: 'local',
  name: 'f',
  host: 'far',
  listen: { port: 0 },
  target: { host: '127.0.0.1', port },
  ...more,
});

test('a flow to a watched port is a call of its host, over its link', async () => {
  const { port: target } = keep(await echo());
  arm(watch(target));
  const port = await plane.open(local(target));
  await ask(port, 'x');
  expect(plane.of('call')).toEqual([
    { on: 'call', trigger: 'irc', host: '127.0.0.1', proto: 'tcp', port: target, count: 1, link: 'link', still: false },
  ]);
});

test('many calls of a host are merged, another host is told apart', async () => {
  const { port: target } = keep(await echo());
  arm(watch(`${target}-${target}`));
  const port = await freePort();
  await plane.open({ kind: 'mapping', name: 'm', listen: { port }, target: { host: '127.0.0.1', port: target } });
  await Promise.all(Array.from({ length: 20 }, () => ask(port, 'x')));
  const other = connect(port, { localAddress: '127.0.0.9' });
  other.end();
  await fate(other);
  await until('the sum', () => plane.of('call').reduce((sum, { count }) => sum + count, 0) === 21);
  const calls = plane.of('call');
  expect(calls.map(({ host, count }) => [host, count])).toEqual([
    ['127.0.0.1', 1],
    ['127.0.0.9', 1],
    ['127.0.0.1', 19],
  ]);
  expect(calls.every(({ link, still }) => link === null && !still)).toBe(true);
});

test('a caller that still moves bytes is told of, one that is silent is not', async () => {
  const { port: target } = keep(await echo());
  arm(watch(target));
  const port = await plane.open(local(target));
  const client = connect(port);
  client.resume();
  const beat = setInterval(() => client.write('.'), 100);
  await until('two words', () => plane.of('call').filter(({ still }) => still).length === 2);
  clearInterval(beat);
  client.destroy();
  await until('the end', () => plane.flows().length === 0);
});

test('only whom and where the trigger says, and who was let in', async () => {
  const { port: target } = keep(await echo());
  arm(
    watch(target, { name: 'from', from: ['127.0.0.9'] }),
    watch(target, { name: 'to', to: ['203.0.113.0/24'] }),
    watch(target, { name: 'near', to: ['127.0.0.0/8'] }),
    watch(target === 1 ? 2 : 1, { name: 'else' }),
  );
  const port = await plane.open(local(target));
  await ask(port, 'x');
  expect(plane.of('call').map(({ trigger }) => trigger)).toEqual(['near']);
  const closed = await plane.open(local(target, { name: 'g', deny: ['127.0.0.9'] }));
  expect(await fate(connect(closed, { localAddress: '127.0.0.9' }))).toBe('ECONNRESET');
  expect(plane.of('call')).toHaveLength(1);
});

test("a relay's target given by name counts once it is resolved", async () => {
  const { port: target } = keep(await echo());
  arm(watch(target, { to: ['127.0.0.0/8', '::1'] }));
  const port = await freePort();
  await plane.open({ kind: 'mapping', name: 'm', listen: { port }, target: { host: 'localhost', port: target } });
  await ask(port, 'x');
  expect(plane.of('call')).toHaveLength(1);
});

test('a client that resets before it is looked at has no address, and calls for nobody', async () => {
  const { port: target } = keep(await echo());
  arm(watch(target));
  const port = await plane.open(local(target));
  // This process takes the connection only once the other is through with it.
  const script = `const s = require('net').connect(${port}, '127.0.0.1', () => s.resetAndDestroy());`;
  spawnSync(process.execPath, ['-e', script]);
  await until('the connection', () => plane.counts('f').flowsTotal === 1);
  await ask(port, 'x');
  expect(plane.of('call').map(({ host }) => host)).toEqual(['127.0.0.1']);
});

test('through SOCKS, and over UDP', async () => {
  const { port: target } = keep(await echo());
  arm(watch(target));
  const port = await plane.open({ kind: 'dynamic', name: 'd', host: 'far', listen: { port: 0 } });
  const client = connect(port, { localAddress: '127.0.0.8' });
  client.end(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255]));
  await fate(client);
  const udpPort = await freePort();
  const far = { host: '127.0.0.1', port: target };
  await plane.open({ kind: 'mapping', name: 'u', proto: 'udp', listen: { port: udpPort }, target: far });
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.7');
  await once(socket, 'listening');
  socket.send('x', udpPort, '127.0.0.1');
  await until('both', () => plane.of('call').length === 2);
  expect(plane.of('call')).toMatchObject([
    { host: '127.0.0.8', proto: 'tcp', link: 'link' },
    { host: '127.0.0.7', proto: 'udp', link: null },
  ]);
  socket.close();
});

test('a probe tells when a way fails and when it is back, without being traffic', async () => {
  const target = await freePort();
  await plane.open(local(target), { probeMs: 50 });
  await until('bad', () => plane.of('probe').length === 1);
  const server = keep(await echo({ host: '127.0.0.1', port: target }));
  await until('good', () => plane.of('probe').length === 2);
  await until('more tries', () => server.sockets.length > 3);
  expect(plane.of('probe').map(({ status }) => status)).toEqual([
    { ok: false, at: expect.any(String), error: expect.objectContaining({ code: 'probe_failed' }) },
    { ok: true, at: expect.any(String), ms: expect.any(Number) },
  ]);
  expect(plane.counts('f')).toMatchObject({ flows: 0, flowsTotal: 0, rx: 0, tx: 0 });
  await plane.stop('f');
});

test('of a range no port need be in use: a target that refuses has answered', async () => {
  const port = await freePort(2);
  const relay = (name: string, last: number) => ({
    kind: 'mapping',
    name,
    listen: { port, last },
    target: { host: '127.0.0.1', port: 1 },
  });
  await plane.open(relay('one', port), { probeMs: 50 });
  await until('its outcome', () => plane.of('probe').some(({ id }) => id === 'one'));
  await plane.stop('one');
  await plane.open(relay('range', port + 1), { probeMs: 50 });
  await until('its outcome', () => plane.of('probe').some(({ id }) => id === 'range'));
  expect(plane.of('probe').map(({ id, status }) => [id, status?.ok])).toEqual([
    ['one', false],
    ['range', true],
  ]);
});

test('no probe goes out while the link is away, and a dynamic forward takes a refusal for an answer', async () => {
  plane.link.set(false);
  await plane.open({ kind: 'dynamic', name: 'd', host: 'far', listen: { port: 0 } }, { probeMs: 30 });
  const port = await freePort();
  await plane.open(
    { kind: 'mapping', name: 'm', listen: { port }, target: { host: '127.0.0.1', port } },
    { probeMs: 30 },
  );
  await until('the other', () => plane.of('probe').length > 0);
  expect(plane.link.dialled).toEqual([]);
  plane.link.set(true);
  await until('good', () => plane.of('probe').some(({ id, status }) => id === 'd' && status?.ok === true));
});

test('what a probe found out goes with the connection it was found over', async () => {
  const target = await freePort();
  await plane.open(local(target), { probeMs: 50 });
  await until('bad', () => plane.of('probe').length === 1);
  plane.link.set(false);
  expect(plane.of('probe').map(({ status }) => status?.ok ?? null)).toEqual([false, null]);
});

test.each([
  ['a refusal in words of its own', 'target_unreachable', true],
  ['a server that forbids it', 'target_prohibited', false],
] as const)('a dynamic forward meets %s', async (_, code, ok) => {
  plane.link.dial = async () => {
    throw new SallyportError(code, 'no');
  };
  await plane.open({ kind: 'dynamic', name: 'd', host: 'far', listen: { port: 0 } }, { probeMs: 30 });
  await until('the outcome', () => plane.of('probe').some(({ id, status }) => id === 'd' && status?.ok === ok));
});
