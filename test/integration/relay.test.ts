import { createHash } from 'node:crypto';
import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IntakeSocket, takeOver } from '../../src/dataplane/sockets/intake.ts';
import { ask, blob, connect, echo, fate, flood, Plane, readAll, serve, sha } from '../support/plane.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

let plane: Plane;
const closers: { close(): void }[] = [];

beforeEach(() => {
  plane = new Plane();
});
afterEach(async () => {
  await plane.shutdown();
  for (const server of closers.splice(0)) server.close();
});

const keep = <T extends { close(): void }>(server: T): T => {
  closers.push(server);
  return server;
};
const mapping = (listen: Record<string, unknown>, port: number, more: Record<string, unknown> = {}) => ({
  kind: 'mapping',
  name: 'm',
  listen,
  target: { host: '127.0.0.1', port },
  ...more,
});

/** So many free ports in a row. */
async function freeRange(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    if (first + count > 65_000) continue;
    const servers = await Promise.allSettled(
      Array.from({ length: count }, (_, i) => serve(() => {}, { port: first + i })),
    );
    for (const server of servers) if (server.status === 'fulfilled') server.value.close();
    if (servers.every(({ status }) => status === 'fulfilled')) return first;
  }
}

describe('TCP', () => {
  test('relays on 127.0.0.1 alone unless told where', async () => {
    const { port: target } = keep(await echo());
    const port = await freePort();
    expect(await plane.start(mapping({ port }, target))).toMatchObject({ is: 'open', at: `tcp/127.0.0.1:${port}` });
    const data = blob(20 << 20);
    const client = connect(port);
    client.end(data);
    expect(sha(await readAll(client))).toBe(sha(data));
    expect(plane.counts('m')).toMatchObject({ rx: data.length, tx: data.length });
    expect(await fate(connect(port, { host: '::1' }))).toBe('ECONNREFUSED');
    expect(await fate(connect(port, { host: '127.0.0.2' }))).toBe('ECONNREFUSED');
  });

  test('every address, of either family', async () => {
    const { port: target } = keep(await echo());
    const port = await freePort();
    expect(await plane.start(mapping({ address: '*', port }, target))).toMatchObject({ at: `tcp/0.0.0.0:${port}` });
    expect(await ask(port, 'x', '127.0.0.2')).toBe('x');
    expect(await ask(port, 'x', '::1')).toBe('x');
    expect(await plane.start(mapping({ address: '::1', port: await freePort() }, target, { name: 'n' }))).toMatchObject(
      {
        at: expect.stringMatching(/^tcp\/\[::1\]:\d+$/),
      },
    );
  });

  test('a target that turns out to be its own listener is not gone round', async () => {
    const port = await freePort();
    // The words do not tell: the listener's address is every one, and the target is one of them.
    await plane.start(
      mapping({ address: '0.0.0.0', port }, port, { proto: 'both', target: { host: '127.0.0.7', port } }),
    );
    expect(await fate(connect(port))).toBe('ECONNRESET');
    const client = keep(dgram.createSocket('udp4'));
    client.send('x', port, '127.0.0.1');
    await until('both to be told', () => plane.notes('target_unreachable').length > 0);
    await until('all to be over', () => plane.counts('m').flowsTotal >= 3 && plane.counts('m').flows === 0);
    // The client's and the probe's, and what each of them met.
    expect(plane.counts('m').flowsTotal).toBeLessThanOrEqual(6);
  });

  test('nor is one that was listened on by a name', async () => {
    const port = await freePort();
    // No address in the usual form, so the resolver is asked; it needs no hosts file to know it.
    await plane.start(mapping({ address: '127.1', port }, port));
    expect(await fate(connect(port))).toBe('ECONNRESET');
    expect(plane.notes('target_unreachable')[0]?.message).toBe(`127.0.0.1:${port} is where the mapping itself listens`);
  });

  test('a program on the same port of the other family is none', async () => {
    const { port } = keep(await echo());
    await plane.start(mapping({ address: '::', port }, port));
    const client = connect(port, { host: '::1' });
    client.end('hello');
    expect((await readAll(client)).toString()).toBe('hello');
  });

  test('a name is resolved for each connection', async () => {
    const { address } = await lookup('localhost');
    const { port: target } = keep(await echo({ host: address, port: 0 }));
    const port = await freePort();
    await plane.open(mapping({ port }, target, { target: { host: 'localhost', port: target } }));
    expect(await ask(port, 'x')).toBe('x');
  });

  test('a range is shifted port by port', async () => {
    const first = await freeRange(4);
    const inside = await freeRange(4);
    for (let i = 0; i < 4; i++)
      keep(await serve((socket) => socket.end(`port ${i}`), { host: '127.0.0.1', port: inside + i }));
    expect(await plane.start(mapping({ port: first, last: first + 3 }, inside))).toMatchObject({
      at: `tcp/127.0.0.1:${first}-${first + 3}`,
    });
    for (let i = 0; i < 4; i++) expect((await readAll(connect(first + i))).toString()).toBe(`port ${i}`);
  });

  test('a range with one port taken takes none, and names it', async () => {
    const first = await freeRange(4);
    keep(await serve(() => {}, { host: '127.0.0.1', port: first + 2 }));
    expect(await plane.start(mapping({ port: first, last: first + 3 }, 1))).toMatchObject({
      is: 'failed',
      error: { code: 'port_taken', message: expect.stringContaining(String(first + 2)) },
    });
    expect(await fate(connect(first))).toBe('ECONNREFUSED');
  });

  test('a range beyond the descriptors says so', async () => {
    plane = new Plane({ descriptors: 100 });
    expect(await plane.start(mapping({ port: 20_000, last: 21_000 }, 1))).toMatchObject({
      error: { code: 'fd_limit' },
    });
  });

  test('the PROXY header tells the target who connected', async () => {
    const got: Buffer[] = [];
    const { port: target } = keep(await serve(async (socket) => void got.push(await readAll(socket))));
    const port = await freePort();
    await plane.open(mapping({ address: '*', port }, target, { proxyProtocol: true }));
    const four = connect(port, { localAddress: '127.0.0.3' });
    four.end('hello');
    await once(four, 'connect');
    const fourPort = four.localPort as number;
    await until('the first', () => got.length === 1);
    const signature = '0d0a0d0a000d0a515549540a';
    const two = (value: number) => value.toString(16).padStart(4, '0');
    expect(got[0]?.toString('hex')).toBe(
      `${signature}2111000c7f0000037f000001${two(fourPort)}${two(port)}${Buffer.from('hello').toString('hex')}`,
    );
    const six = connect(port, { host: '::1' });
    six.end();
    await until('the second', () => got.length === 2);
    expect(got[1]?.subarray(0, 16).toString('hex')).toBe(`${signature}21210024`);
    expect(got[1]).toHaveLength(16 + 36);
    // The header is no payload.
    expect(plane.counts('m').tx).toBe(5);
  });

  test('a refused client is reset before its target hears of it', async () => {
    const server = keep(await echo());
    const port = await freePort();
    await plane.open(mapping({ port }, server.port, { allow: ['127.0.0.2'] }));
    expect(await fate(connect(port))).toBe('ECONNRESET');
    expect(server.sockets).toHaveLength(0);
    expect(plane.counts('m').refused).toBe(1);
    expect(plane.notes('peer_denied')).toHaveLength(1);
  });

  test('resets and half-closes cross', async () => {
    const { port: target } = keep(
      await serve(async (socket) => {
        if ((await readAll(socket)).toString() === 'reset') socket.resetAndDestroy();
        else socket.end('fine');
      }),
    );
    const port = await freePort();
    await plane.open(mapping({ port }, target));
    expect(await ask(port, 'hello')).toBe('fine');
    const client = connect(port);
    client.end('reset');
    expect(await fate(client)).toBe('ECONNRESET');
    await until('the flow to end', () => plane.counts('m').flows === 0);
  });
});

describe('the one buffer a direction is read into', () => {
  test('is used for accepted sockets too', async () => {
    const taken: net.Socket[] = [];
    const server = net.createServer({ pauseOnConnect: true }, (socket) => taken.push(takeOver(socket)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect((server.address() as net.AddressInfo).port);
    await until('the connection', () => taken.length === 1);
    expect(taken[0]).toBeInstanceOf(IntakeSocket);
    for (const socket of [client, ...taken]) socket.destroy();
    server.close();
  });

  test('never mixes flows up, however slowly they are read', async () => {
    const pages = Array.from({ length: 4 }, () => blob(6 << 20));
    let next = 0;
    const { port: target } = keep(await serve((socket) => void socket.end(pages[next++ % pages.length] ?? '')));
    const port = await freePort();
    await plane.open(mapping({ port }, target));
    const slowly = async () => {
      const hash = createHash('sha256');
      let turns = 0;
      for await (const chunk of connect(port)) {
        hash.update(chunk);
        if (++turns % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      return hash.digest('hex');
    };
    const wanted = pages.map(sha).sort();
    // Twice, so that buffers are used again.
    for (let round = 0; round < 2; round++) expect((await Promise.all(pages.map(slowly))).sort()).toEqual(wanted);
  });

  test('holds a sender whose reader does not read', async () => {
    const sender = keep(await flood());
    const port = await freePort();
    await plane.open(mapping({ port }, sender.port));
    const client = connect(port);
    client.pause();
    await sender.stalled();
    expect(sender.sent()).toBeLessThan(64 << 20);
    plane.send({ do: 'kill', request: 1, flow: plane.flows('m')[0]?.id ?? '' });
    await until('the flow to end', () => plane.counts('m').flows === 0);
    client.destroy();
  });

  test('keeps to the rate', async () => {
    const { port: target } = keep(await serve((socket) => void socket.end(Buffer.alloc(200_000))));
    const port = await freePort();
    await plane.open(mapping({ port }, target, { rate: 200_000 }));
    const began = performance.now();
    expect(await readAll(connect(port))).toHaveLength(200_000);
    expect(performance.now() - began).toBeGreaterThan(400);
  });
});

describe('UDP', () => {
  async function udp(
    onMessage: (socket: dgram.Socket, data: Buffer, from: dgram.RemoteInfo) => void,
    host = '127.0.0.1',
    port = 0,
  ) {
    const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
    socket.on('message', (data, from) => onMessage(socket, data, from));
    socket.bind(port, host);
    await once(socket, 'listening');
    return keep({ port: socket.address().port, socket, close: () => socket.close() });
  }
  const echoUdp = (port = 0) =>
    udp((socket, data, from) => socket.send(data, from.port, from.address), '127.0.0.1', port);
  const client = async (host = '127.0.0.1') => udp(() => {}, host);
  async function exchange(socket: dgram.Socket, port: number, text: string, host = '127.0.0.1'): Promise<string> {
    socket.send(text, port, host);
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(5000) });
    return String(answer);
  }

  test('each client has its own association, shown and counted', async () => {
    const froms = new Set<number>();
    const target = await udp((socket, data, from) => {
      froms.add(from.port);
      socket.send(`${data}!`, from.port, from.address);
    });
    const port = await freePort();
    expect(await plane.start(mapping({ port }, target.port, { proto: 'udp' }))).toMatchObject({
      at: `udp/127.0.0.1:${port}`,
    });
    const [a, b] = [await client(), await client()];
    expect(await exchange(a.socket, port, 'one')).toBe('one!');
    expect(await exchange(b.socket, port, 'two')).toBe('two!');
    expect(await exchange(a.socket, port, 'three')).toBe('three!');
    expect(froms.size).toBe(2);
    expect(plane.flows('m')).toMatchObject([
      { proto: 'udp', peer: `127.0.0.1:${a.port}`, local: `127.0.0.1:${port}`, tx: 8, rx: 10 },
      { proto: 'udp', peer: `127.0.0.1:${b.port}` },
    ]);
    plane.send({ do: 'kill', request: 1, flow: plane.flows('m')[0]?.id ?? '' });
    expect(plane.flows('m')).toHaveLength(1);
    expect(await exchange(a.socket, port, 'again')).toBe('again!');
    await plane.stop('m');
    expect(plane.counts('m')).toMatchObject({ flows: 0, flowsTotal: 3 });
  });

  test('both protocols, IPv6, every address, a name', async () => {
    // A port free for TCP is looked for first: the kernel draws from the same ones for connections.
    const target = await echoUdp(await freePort());
    keep(await echo({ host: '127.0.0.1', port: target.port }));
    const port = await freePort();
    const both = mapping({ address: '*', port }, target.port, { proto: 'both' });
    expect(await plane.start({ ...both, target: { host: 'localhost', port: target.port } })).toMatchObject({
      at: `both/0.0.0.0:${port}`,
    });
    expect(await exchange((await client('::1')).socket, port, 'six', '::1')).toBe('six');
    expect(await exchange((await client()).socket, port, 'four')).toBe('four');
    expect(await ask(port, 'tcp')).toBe('tcp');
    expect(plane.flows('m').map(({ peer }) => peer.replace(/\d+$/, ''))).toEqual(
      expect.arrayContaining(['[::1]:', '127.0.0.1:']),
    );
  });

  test('a port another program holds is port_taken, and the other protocol is let go', async () => {
    const holder = await echoUdp(await freePort());
    expect(await plane.start(mapping({ port: holder.port }, 1, { proto: 'both' }))).toMatchObject({
      is: 'failed',
      error: { code: 'port_taken', message: expect.stringContaining('udp') },
    });
    expect(await fate(connect(holder.port))).toBe('ECONNREFUSED');
  });

  test('a range, shifted', async () => {
    const first = await freeRange(3);
    const target = await echoUdp();
    await plane.open(mapping({ port: first, last: first + 2 }, target.port - 1, { proto: 'udp' }));
    expect(await exchange((await client()).socket, first + 1, 'x')).toBe('x');
  });

  test('an idle association ends', async () => {
    const target = await echoUdp();
    const port = await freePort();
    await plane.open(mapping({ port }, target.port, { proto: 'udp', idleFlow: '200ms' }));
    await exchange((await client()).socket, port, 'x');
    expect(plane.flows()).toHaveLength(1);
    await until('the end', () => plane.flows().length === 0);
  });

  test('a client too many is dropped and counted, until an idle one makes room', async () => {
    const target = await echoUdp();
    const port = await freePort();
    await plane.open(mapping({ port }, target.port, { proto: 'udp', maxFlows: 1 }));
    await exchange((await client()).socket, port, 'x');
    const late = await client();
    late.socket.send('y', port, '127.0.0.1');
    await until('the refusal', () => plane.counts('m').refused === 1);
    let heard = '';
    late.socket.on('message', (data) => {
      heard = String(data);
    });
    await until('an answer', () => {
      late.socket.send('z', port, '127.0.0.1');
      return heard === 'z';
    });
    expect(plane.flows()).toHaveLength(1);
  });

  test('a target that refuses is told, and the client is served once it is there', async () => {
    const gone = await client();
    gone.socket.close();
    closers.splice(closers.indexOf(gone), 1);
    const port = await freePort();
    await plane.open(mapping({ port }, gone.port, { proto: 'udp' }));
    const { socket } = await client();
    await until('the note', () => {
      socket.send('x', port, '127.0.0.1');
      return plane.notes('target_refused').length > 0;
    });
    const back = dgram.createSocket('udp4');
    back.on('message', (data, from) => back.send(data, from.port, from.address));
    back.bind(gone.port, '127.0.0.1');
    keep(back);
    await until('an answer', async () => (await exchange(socket, port, 'here')) === 'here');
    expect(plane.flows()).toHaveLength(1);
  });

  test('a source outside the list gets no association', async () => {
    const target = await echoUdp();
    const port = await freePort();
    await plane.open(mapping({ port }, target.port, { proto: 'udp', deny: ['127.0.0.1'] }));
    (await client()).socket.send('x', port, '127.0.0.1');
    await until('the refusal', () => plane.counts('m').refused === 1);
    expect(plane.flows()).toHaveLength(0);
  });

  test('over the rate datagrams are dropped, and that is told', async () => {
    let got = 0;
    const target = await udp(() => {
      got += 1;
    });
    const port = await freePort();
    await plane.open(mapping({ port }, target.port, { proto: 'udp', rate: 10_000 }));
    const { socket } = await client();
    for (let i = 0; i < 100; i++) socket.send(Buffer.alloc(1000), port, '127.0.0.1');
    await until('the note', () => plane.notes('udp_dropped').length === 1);
    expect(got).toBeLessThan(50);
    expect(plane.counts('m').tx).toBeLessThan(50_000);
  });
});
