import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createSsh2Link } from '../../src/dataplane/carriers/ssh2/index.ts';
import type { ResolvedOptions } from '../../src/model/host.ts';
import { linkSpec, sshdOptions, TestLink } from '../support/link.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;
const open: TestLink[] = [];
const servers: net.Server[] = [];
const sockets = new Set<net.Socket>();

function connect(options: ResolvedOptions, context: ConstructorParameters<typeof TestLink>[2] = {}): TestLink {
  const test = new TestLink(createSsh2Link, linkSpec(options), context);
  open.push(test);
  return test;
}

/** A server that does with each client what it is told; gives its port. */
async function serve(onSocket: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

const to = (port: number, more: ResolvedOptions = {}): ResolvedOptions => ({
  hostname: '127.0.0.1',
  port: String(port),
  user: 'ann',
  identityfile: [],
  identityagent: 'none',
  userknownhostsfile: '/dev/null',
  stricthostkeychecking: 'no',
  connecttimeout: '1',
  ...more,
});

/** The first error it retries after. */
const firstError = (test: TestLink) =>
  until('a reason to retry', () => {
    const status = test.statuses.find(({ is }) => is === 'retrying' || is === 'failed');
    return status !== undefined && 'error' in status ? status.error : null;
  });

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ link }) => link.stop()));
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

test('a server that accepts and says nothing', async () => {
  const test = connect(to(await serve(() => {})));
  expect(await firstError(test)).toMatchObject({ code: 'handshake_failed' });
});

test('a server that says hello and no more', async () => {
  const test = connect(to(await serve((socket) => socket.write('SSH-2.0-Mute\r\n'))));
  expect(await firstError(test)).toMatchObject({ code: 'handshake_failed' });
});

test('a server that hangs up', async () => {
  const test = connect(to(await serve((socket) => socket.destroy())));
  expect(await firstError(test)).toMatchObject({ code: 'handshake_failed' });
});

test('a web server', async () => {
  const port = await serve((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n<html>\x1b[31m</html>\r\n'));
  });
  expect(await firstError(connect(to(port)))).toMatchObject({ code: 'handshake_failed' });
});

test.each([
  ['lines', Buffer.from(`${'x'.repeat(200)}\r\n`.repeat(52_000))],
  ['one line', Buffer.alloc(10 << 20, 'x')],
])('ten megabytes of banner in %s are not kept', async (_, banner) => {
  let written = 0;
  const port = await serve((socket) => {
    const write = () => {
      while (socket.writable && written < banner.length) {
        const chunk = banner.subarray(written, written + 65_536);
        written += chunk.length;
        if (!socket.write(chunk)) break;
      }
    };
    socket.on('drain', write);
    write();
  });
  const before = process.memoryUsage().rss;
  const error = await firstError(connect(to(port)));
  expect(error.code).toBe('handshake_failed');
  expect(error.message.length).toBeLessThan(400);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
});

test('nobody listens; a name that is none', async () => {
  expect(await firstError(connect(to(await freePort())))).toMatchObject({ code: 'host_refused' });
  expect(await firstError(connect(to(22, { hostname: 'no-such-host.invalid' })))).toMatchObject({
    code: 'host_unresolved',
  });
});

test('a bad option fails the link and nothing else', async () => {
  const test = connect(to(22, { port: '99999' }));
  await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'host_config' });
  const token = connect(to(22, { proxycommand: 'nc %z' }));
  await expect(token.link.ready(never)).rejects.toMatchObject({ code: 'host_config' });
});

describe.skipIf(missing('sshd', 'ssh'))('in front of OpenSSH', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await Sshd.start();
  });
  afterAll(() => sshd?.stop());

  /** A way to the server that can be cut without either side hearing of it. */
  async function cuttable(onBytes: (total: number, cut: () => void) => void = () => {}) {
    const state = { silent: false };
    const port = await serve((socket) => {
      const far = net.connect(sshd.port, '127.0.0.1');
      sockets.add(far);
      far.on('error', () => {});
      let total = 0;
      const silence = () => {
        state.silent = true;
      };
      for (const [from, into] of [
        [socket, far],
        [far, socket],
      ] as const) {
        from.on('data', (chunk) => {
          if (from === far) total += chunk.length;
          if (!state.silent) into.write(chunk);
          onBytes(total, silence);
        });
      }
    });
    return { port, state };
  }

  const options = (port: number) =>
    sshdOptions(sshd, { port: String(port), userknownhostsfile: '/dev/null', stricthostkeychecking: 'no' });

  test('a peer that falls silent is found out, and flows are reset', async () => {
    const { port, state } = await cuttable();
    const test = connect(options(port), { timings: { keepaliveSeconds: 0.2, keepaliveCount: 3 } });
    const target = await serve(() => {});
    const stream = await test.link.dial({ host: '127.0.0.1', port: target }, { address: '', port: 0 }, never);
    const reset = once(stream, 'error');
    state.silent = true;
    expect((await reset)[0]).toMatchObject({ code: 'host_lost' });
    expect(await firstError(test)).toMatchObject({ code: 'host_lost', message: expect.stringContaining('silent') });
    state.silent = false;
    await until('the link to be back', () => test.words.filter((word) => word === 'up').length === 2);
  });

  test('another keepalive counts from the next connection on', async () => {
    const { port, state } = await cuttable();
    const timings = { keepaliveSeconds: 3600, keepaliveCount: 3 };
    const test = connect(options(port), { timings });
    await test.link.ready(never);
    timings.keepaliveSeconds = 0.2;
    for (const socket of sockets) socket.destroy();
    await until('the link to be back', () => test.words.filter((word) => word === 'up').length === 2);
    state.silent = true;
    await until('the silence to be found out', () =>
      test.statuses.some((status) => status.is === 'retrying' && status.error.message.includes('went silent')),
    );
  });

  test('a greeting, and a version that comes byte by byte', async () => {
    const port = await serve((socket) => {
      socket.setNoDelay(true);
      socket.write('Welcome\r\nto \x1b[31mthe SSH-2.0 box\r\n');
      const far = net.connect(sshd.port, '127.0.0.1');
      sockets.add(far);
      far.on('error', () => {});
      socket.pipe(far);
      far.once('data', async (version) => {
        far.pause();
        for (const byte of version) {
          socket.write(Buffer.of(byte));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        far.pipe(socket);
      });
    });
    await connect(options(port)).link.ready(never);
  });

  test('a peer that dies in the middle of the handshake', async () => {
    const { port } = await cuttable((total, cut) => {
      if (total > 500) cut();
    });
    const test = connect({ ...options(port), connecttimeout: '1' });
    expect(await firstError(test)).toMatchObject({ code: 'handshake_failed' });
  });

  test('ServerAliveInterval of the configuration wins over the default', async () => {
    const { port, state } = await cuttable();
    const test = connect({ ...options(port), serveraliveinterval: '1', serveralivecountmax: '1' });
    await test.link.ready(never);
    state.silent = true;
    expect(await firstError(test)).toMatchObject({ code: 'host_lost' });
  });

  test('stopping in the middle of a try leaves nothing behind', async () => {
    const port = await serve(() => {});
    const test = connect(to(port, { connecttimeout: '60' }));
    await until('a client', () => sockets.size > 0);
    const [socket] = sockets;
    await test.link.stop();
    await until('it to hang up', () => socket?.closed || socket?.readableEnded);
  });
});
