import { once } from 'node:events';
import { chmodSync, existsSync, linkSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ask, blob, connect, echo, fate, flood, Plane, readAll, type Server, serve, sha } from '../support/plane.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

let plane: Plane;
const servers: Server[] = [];
let dir: string;

beforeEach(() => {
  plane = new Plane();
  dir = mkdtempSync(path.join(os.tmpdir(), 'sally-'));
});
afterEach(async () => {
  await plane.shutdown();
  for (const server of servers.splice(0)) server.close();
  rmSync(dir, { recursive: true });
});

const keep = <T extends Server>(server: T): T => {
  servers.push(server);
  return server;
};
const local = (port: number, more: Record<string, unknown> = {}) => ({
  kind: 'local',
  name: 'f',
  host: 'far',
  listen: { port: 0 },
  target: { host: '127.0.0.1', port },
  ...more,
});

describe('listening', () => {
  test('a bare port is both loopbacks, on one port, shown as 127.0.0.1', async () => {
    const { port: target } = keep(await echo());
    const status = await plane.start(local(target));
    expect(status).toMatchObject({ is: 'open', at: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    const port = Number((status as { at: string }).at.split(':')[1]);
    expect(await ask(port, 'four', '127.0.0.1')).toBe('four');
    expect(await ask(port, 'six', '::1')).toBe('six');
  });

  test.each(['127.0.0.1', '::1'])(
    'another program on %s alone is enough for port_taken, and it is named',
    async (host) => {
      plane = new Plane({
        holder: async (proto, address, port) => `nginx (pid 7, user www, ${proto} ${address} ${port})`,
      });
      const taken = keep(await serve(() => {}, { host, port: 0 }));
      const status = await plane.start(local(1, { listen: { port: taken.port } }));
      expect(status).toMatchObject({
        is: 'failed',
        error: {
          code: 'port_taken',
          message: expect.stringContaining(`nginx (pid 7, user www, tcp ${host} ${taken.port})`),
        },
      });
      for (const other of ['127.0.0.1', '::1'].filter((each) => each !== host)) {
        expect(await fate(connect(taken.port, { host: other }))).toBe('ECONNREFUSED');
      }
    },
  );

  test('IPv6 in brackets, localhost, and every address', async () => {
    const { port: target } = keep(await echo());
    expect(await plane.start(local(target, { listen: { address: '::1', port: 0 } }))).toMatchObject({
      at: expect.stringMatching(/^\[::1\]:\d+$/),
    });
    const both = await plane.open(local(target, { name: 'g', listen: { address: 'localhost', port: 0 } }));
    expect(await ask(both, 'x', '::1')).toBe('x');
    const all = await plane.start(local(target, { name: 'h', listen: { address: '*', port: 0 } }));
    const port = Number((all as { at: string }).at.replace('0.0.0.0:', ''));
    expect(await ask(port, 'x', '127.0.0.2')).toBe('x');
    expect(await ask(port, 'x', '::1')).toBe('x');
  });

  test('an address of another machine says so', async () => {
    expect(await plane.start(local(1, { listen: { address: '203.0.113.9', port: 0 } }))).toMatchObject({
      is: 'failed',
      error: { code: 'address_unavailable' },
    });
  });

  test('stop leaves no listener, flows may go on, and the link is let go after the last', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target));
    const client = connect(port);
    client.write('a');
    await once(client, 'data');
    await plane.stop('f', false);
    expect(await fate(connect(port))).toBe('ECONNREFUSED');
    expect(plane.status('f')).toEqual({ is: 'closed' });
    client.write('b');
    expect(String((await once(client, 'data'))[0])).toBe('b');
    expect(plane.link.holds).toBe(1);
    client.end();
    await until('release', () => plane.link.holds === 0);
    expect(plane.counts('f')).toMatchObject({ flows: 0, flowsTotal: 1, rx: 2, tx: 2 });
  });

  test('starting again under the same name takes the port over', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target));
    for (let i = 0; i < 5; i++) await plane.open(local(target, { listen: { port } }));
    expect(await ask(port, 'again')).toBe('again');
  });
});

describe('a Unix listener', () => {
  const at = (file: string, port: number) => local(port, { listen: { socket: file } });

  test('has mode 0600, carries, goes on stop, leaves nothing beside it', async () => {
    const { port: target } = keep(await echo());
    const file = path.join(dir, 's');
    expect(await plane.start(at(file, target))).toMatchObject({ is: 'open', at: file });
    expect(lstatSync(file).mode & 0o777).toBe(0o600);
    const client = net.connect({ path: file, allowHalfOpen: true });
    client.end('hello');
    expect((await readAll(client)).toString()).toBe('hello');
    expect(readdirSync(dir)).toEqual(['s']);
    await plane.stop('f');
    expect(readdirSync(dir)).toEqual([]);
  });

  test('replaces a dead socket, leaves a live one and a file alone', async () => {
    const { port: target } = keep(await echo());
    const dead = path.join(dir, 'dead');
    // A server that ends without unlinking: bound under another name.
    const server = keep(await serve(() => {}, { path: path.join(dir, 'tmp') }));
    linkSync(path.join(dir, 'tmp'), dead);
    server.close();
    expect(existsSync(dead)).toBe(true);
    expect(await plane.start(at(dead, target))).toMatchObject({ is: 'open' });

    const live = path.join(dir, 'live');
    keep(await serve(() => {}, { path: live }));
    expect(await plane.start({ ...at(live, target), name: 'g' })).toMatchObject({ error: { code: 'socket_taken' } });
    const file = path.join(dir, 'file');
    writeFileSync(file, 'precious');
    chmodSync(file, 0o644);
    expect(await plane.start({ ...at(file, target), name: 'h' })).toMatchObject({ error: { code: 'socket_taken' } });
    expect(existsSync(file) && existsSync(live)).toBe(true);
  });
});

describe('flows', () => {
  test('20 MB arrive whole both ways, and are counted', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target));
    const data = blob(20 << 20);
    const client = connect(port);
    client.end(data);
    expect(sha(await readAll(client))).toBe(sha(data));
    expect(plane.counts('f')).toMatchObject({ rx: data.length, tx: data.length });
  });

  test('a half-close crosses both ways: the answer comes after the end of the question', async () => {
    const { port: target } = keep(
      await serve(async (socket) => {
        const question = await readAll(socket);
        socket.end(`you said ${question}`);
      }),
    );
    const port = await plane.open(local(target));
    expect(await ask(port, 'hi')).toBe('you said hi');
    // The target ends first; what the client says after still gets there.
    let heard = '';
    const second = keep(
      await serve((socket) => {
        socket.end('bye');
        socket.on('data', (chunk) => {
          heard += chunk;
        });
      }),
    );
    const other = await plane.open(local(second.port, { name: 'g' }));
    const client = connect(other);
    expect((await readAll(client)).toString()).toBe('bye');
    client.end('still here');
    await until('the rest', () => heard === 'still here');
  });

  test('a reset crosses both ways as a reset', async () => {
    const server = keep(await serve((socket) => socket.once('data', () => socket.resetAndDestroy())));
    const port = await plane.open(local(server.port));
    const client = connect(port);
    client.write('x');
    expect(await fate(client)).toBe('ECONNRESET');

    const fates: Promise<string>[] = [];
    const other = keep(await serve((socket) => void fates.push(fate(socket))));
    const second = await plane.open(local(other.port, { name: 'g' }));
    const leaver = connect(second);
    leaver.on('error', () => {});
    leaver.write('x');
    await until('the flow', () => fates.length === 1);
    leaver.resetAndDestroy();
    expect(await fates[0]).toBe('ECONNRESET');
  });

  test('a target that refuses resets the client and is told, at most once in a while', async () => {
    const port = await plane.open(local(await freePort()));
    const fates = await Promise.all(Array.from({ length: 5 }, () => fate(connect(port))));
    expect(new Set(fates)).toEqual(new Set(['ECONNRESET']));
    await until('flows to end', () => plane.counts('f').flows === 0);
    expect(plane.notes('target_refused')).toHaveLength(1);
  });

  test('a slow reader stops the sender: what is buffered stays bounded', async () => {
    const sender = keep(await flood());
    const port = await plane.open(local(sender.port));
    const client = connect(port);
    client.pause();
    await sender.stalled();
    // The kernel's buffers of three sockets, and a few chunks in between.
    expect(sender.sent()).toBeLessThan(64 << 20);
    expect(plane.counts('f').rx).toBeLessThan(64 << 20);
    client.destroy();
  });

  test('a connection waits for a link that is away', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target));
    plane.link.set(false);
    const client = connect(port);
    client.write('early');
    await until('the flow', () => plane.flows('f').length === 1);
    plane.link.set(true);
    expect(String((await once(client, 'data'))[0])).toBe('early');
    expect(plane.link.watchers).toBe(0);
    client.destroy();
  });

  test('and is reset when the link stays away', async () => {
    const port = await plane.open(local(1));
    plane.link.set(false);
    expect(await fate(connect(port))).toBe('ECONNRESET');
    expect(plane.notes('host_lost')).toHaveLength(1);
    expect(plane.link.dialled).toEqual([]);
    plane.link.set(true);
  });

  test('flows are listed, and one is killed without touching the other', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target));
    const [a, b] = [connect(port), connect(port)] as const;
    for (const socket of [a, b]) {
      socket.write('x');
      await once(socket, 'data');
    }
    const flows = plane.flows('f');
    expect(flows).toHaveLength(2);
    expect(flows[0]).toMatchObject({
      forward: 'f',
      peer: `127.0.0.1:${a.localPort}`,
      local: `127.0.0.1:${port}`,
      target: `127.0.0.1:${target}`,
      rx: 1,
      tx: 1,
      proto: 'tcp',
    });
    plane.send({ do: 'kill', request: 1, flow: flows[0]?.id ?? '' });
    plane.send({ do: 'kill', request: 2, flow: 'nothing' });
    expect(await fate(a)).toBe('ECONNRESET');
    expect(plane.of('killed').map(({ found }) => found)).toEqual([true, false]);
    b.write('y');
    expect(String((await once(b, 'data'))[0])).toBe('y');
    expect(plane.flows('other')).toEqual([]);
    b.destroy();
  });
});

describe('limits', () => {
  test('one flow too many is reset and counted', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target, { maxFlows: 1 }));
    const first = connect(port);
    first.write('x');
    await once(first, 'data');
    expect(await fate(connect(port))).toBe('ECONNRESET');
    expect(plane.counts('f')).toMatchObject({ refused: 1, flows: 1 });
    first.destroy();
    await until('the place', () => plane.counts('f').flows === 0);
    expect(await ask(port, 'free again')).toBe('free again');
  });

  test('who is not on the list is reset and counted', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target, { allow: ['127.0.0.2/32'], deny: ['127.0.0.3'] }));
    expect(await fate(connect(port))).toBe('ECONNRESET');
    expect(plane.counts('f').refused).toBe(1);
    const client = connect(port, { localAddress: '127.0.0.2' });
    client.end('in');
    expect((await readAll(client)).toString()).toBe('in');
  });

  test('a flow without traffic is ended, one with traffic is not', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target, { idleFlow: '300ms' }));
    const [idle, busy] = [connect(port), connect(port)] as const;
    const beat = setInterval(() => busy.write('.'), 50);
    busy.resume();
    expect(await fate(idle)).toBe('ECONNRESET');
    await until('one flow', () => plane.flows('f').length === 1);
    clearInterval(beat);
    expect(await fate(busy)).toBe('ECONNRESET');
  });

  test('the rate holds for the forward, over all its flows', async () => {
    const server = keep(await serve((socket) => socket.end(Buffer.alloc(150_000))));
    const port = await plane.open(local(server.port, { rate: 200_000 }));
    const began = performance.now();
    const read = await Promise.all([readAll(connect(port)), readAll(connect(port))]);
    const seconds = (performance.now() - began) / 1000;
    expect(read.map(({ length }) => length)).toEqual([150_000, 150_000]);
    // 300 kB less the burst of 20 kB, and the last chunk is passed on before it is paid.
    expect(seconds).toBeGreaterThan(0.7);
  });

  test('out of descriptors: reset, counted, told', async () => {
    plane = new Plane({ descriptors: 4 });
    const { port: target } = keep(await echo());
    const port = await plane.open(local(target));
    const held = [connect(port), connect(port), connect(port)];
    await until('three flows', () => plane.flows().length === 3);
    expect(await fate(connect(port))).toBe('ECONNRESET');
    expect(plane.notes('fd_limit')).toHaveLength(1);
    expect(plane.counts('f').refused).toBe(1);
    for (const socket of held) socket.destroy();
  });
});
