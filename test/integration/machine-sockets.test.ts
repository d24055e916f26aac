import { type ChildProcess, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import os from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { processes } from '../../src/machine/processes.ts';
import { formatHolder, listeners, peerOwners, portHolder } from '../../src/machine/sockets.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const user = os.userInfo().username;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

async function listen(options: net.ListenOptions): Promise<number> {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume());
  closers.push(() => server.close());
  server.listen(options);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

/** Another program with one argument for what it does. */
function program(script: string): ChildProcess {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  closers.push(() => child.kill('SIGKILL'));
  return child;
}

const lineFrom = async (child: ChildProcess) => String((await once(child.stdout as never, 'data'))[0]).trim();

describe('what this machine listens on', () => {
  test('own listeners of each family are found with their owner', async () => {
    const four = await listen({ host: '127.0.0.1', port: 0 });
    const six = await listen({ host: '::1', port: 0 });
    const dual = await listen({ host: '::', port: 0 });
    const found = await listeners();
    for (const [port, address] of [
      [four, '127.0.0.1'],
      [six, '::1'],
      [dual, '::'],
    ] as const) {
      expect(found).toContainEqual(
        expect.objectContaining({ proto: 'tcp', port, address, pid: process.pid, program: 'node', user }),
      );
    }
  });

  test('a UDP socket waiting for anybody is one, a connected one is not', async () => {
    const [open, connected] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
    closers.push(
      () => open.close(),
      () => connected.close(),
    );
    open.bind(0, '127.0.0.1');
    await once(open, 'listening');
    connected.connect(open.address().port, '127.0.0.1');
    await once(connected, 'connect');
    const ports = (await listeners()).filter((one) => one.proto === 'udp').map((one) => one.port);
    expect(ports).toContain(open.address().port);
    expect(ports).not.toContain(connected.address().port);
  });
});

describe('who holds a port', () => {
  test('another program, by name and pid', async () => {
    const child = program(
      "const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))",
    );
    const port = Number(await lineFrom(child));
    const holder = await portHolder('tcp', '127.0.0.1', port);
    expect(holder).toEqual({ program: 'node', pid: child.pid, user });
    expect(holder && formatHolder(holder)).toBe(`node (pid ${child.pid}, user ${user})`);
    expect(await portHolder('tcp', null, port)).toEqual(holder);
    expect(await portHolder('tcp', '0.0.0.0', port)).toEqual(holder);
    expect(await portHolder('tcp', '127.0.0.2', port)).toBeNull();
    expect(await portHolder('tcp', '::1', port)).toBeNull();
    expect(await portHolder('udp', '127.0.0.1', port)).toBeNull();
  });

  test('a wildcard listener stands in the way of every address', async () => {
    const port = await listen({ host: '::', port: 0 });
    for (const address of ['127.0.0.1', '0.0.0.0', '::1', 'localhost', '*']) {
      expect(await portHolder('tcp', address, port), address).toMatchObject({ pid: process.pid });
    }
  });

  test('nobody holds a free port', async () => {
    expect(await portHolder('tcp', null, await freePort())).toBeNull();
  });
});

describe('owner of a local peer', () => {
  test.each(['127.0.0.1', '::1'])('TCP over %s', async (host) => {
    const server = net.createServer().listen(0, host);
    closers.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const child = program(`require('net').connect(${port}, '${host}')`);
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    closers.push(() => socket.destroy());
    const at = (address?: string, number?: number) =>
      host === '::1' ? `[${address}]:${number}` : `${address}:${number}`;
    const peer = at(socket.remoteAddress, socket.remotePort);
    const owners = await peerOwners([
      { peer, local: at(socket.localAddress, socket.localPort) },
      { peer: '192.0.2.7:4711', local: at(socket.localAddress, socket.localPort) },
      { peer: 'unix', local: '/tmp/x.sock' },
    ]);
    expect([...owners]).toEqual([[peer, { user, pid: child.pid }]]);
  });

  test('an IPv4 client of a dual-stack listener', async () => {
    const server = net.createServer().listen(0, '::');
    closers.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const child = program(`require('net').connect(${port}, '127.0.0.1')`);
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    closers.push(() => socket.destroy());
    expect(socket.remoteAddress).toBe('::ffff:127.0.0.1');
    const peer = `[${socket.remoteAddress}]:${socket.remotePort}`;
    const owners = await peerOwners([{ peer, local: `[${socket.localAddress}]:${socket.localPort}` }]);
    expect(owners.get(peer)).toEqual({ user, pid: child.pid });
  });

  test('UDP from an unconnected socket', async () => {
    const server = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    const child = program(`require('dgram').createSocket('udp4').send('x', ${server.address().port}, '127.0.0.1')`);
    const [, from] = (await once(server, 'message')) as [Buffer, dgram.RemoteInfo];
    const peer = `${from.address}:${from.port}`;
    const local = `127.0.0.1:${server.address().port}`;
    expect((await peerOwners([{ peer, local, proto: 'udp' }])).get(peer)).toEqual({ user, pid: child.pid });
  });

  test('a peer that has gone has no owner', async () => {
    const port = await listen({ host: '127.0.0.1', port: 0 });
    const client = net.connect(port, '127.0.0.1');
    await once(client, 'connect');
    const ends = { peer: `127.0.0.1:${client.localPort}`, local: `127.0.0.1:${port}` };
    expect((await peerOwners([ends])).get(ends.peer)).toEqual({ user, pid: process.pid });
    client.destroy();
    await until('no owner', async () => (await peerOwners([ends])).size === 0);
  });
});

test('processes are listed with parent, words and start', async () => {
  const child = program('setInterval(() => {}, 1e6)');
  const found = await until('the child', async () =>
    (await processes()).find((one) => one.pid === child.pid && one.argv.length === 3),
  );
  expect(found).toMatchObject({
    ppid: process.pid,
    user,
    argv: [process.execPath, '-e', 'setInterval(() => {}, 1e6)'],
  });
  expect(Math.abs(Date.parse(found.startedAt ?? '') - Date.now())).toBeLessThan(60_000);
});
