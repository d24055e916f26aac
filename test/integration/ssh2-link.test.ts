import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createSsh2Link } from '../../src/dataplane/carriers/ssh2/index.ts';
import type { LinkSpec, ResolvedOptions } from '../../src/model/host.ts';
import { linkSpec, sshdOptions, TestLink } from '../support/link.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const origin = { address: '127.0.0.1', port: 1234 };
const never = new AbortController().signal;
const open: TestLink[] = [];

function connect(options: ResolvedOptions, more: Partial<LinkSpec> = {}, context = {}): TestLink {
  const test = new TestLink(createSsh2Link, linkSpec(options, more), context);
  open.push(test);
  return test;
}

async function server(
  onSocket: (socket: net.Socket) => void,
  host = '127.0.0.1',
): Promise<net.Server & { port: number }> {
  const listening = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => listening.listen(0, host, resolve));
  return Object.assign(listening, { port: (listening.address() as net.AddressInfo).port });
}

async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ link }) => link.stop()));
});

describe.skipIf(missing('sshd', 'ssh'))('against OpenSSH', () => {
  let sshd: Sshd;
  let echo: net.Server & { port: number };

  beforeAll(async () => {
    sshd = await Sshd.start();
    echo = await server((socket) => socket.pipe(socket));
  });
  afterAll(async () => {
    echo?.close();
    await sshd?.stop();
  });

  test('comes up with a key, says with what, and measures the way', async () => {
    const { reached, statuses, link } = connect(sshdOptions(sshd));
    void reached;
    await link.ready(never);
    const status = await until('a round trip', () => {
      const last = statuses.at(-1);
      return last?.is === 'up' && last.rttMs !== null ? last : null;
    });
    expect(status).toMatchObject({
      address: `127.0.0.1:${sshd.port}`,
      cipher: 'aes128-gcm@openssh.com',
      serverVersion: expect.stringContaining('OpenSSH'),
    });
    expect(status.kex).toMatch(/curve25519/);
    expect(status.rttMs).toBeGreaterThan(0);
  });

  test('half-close crosses both ways', async () => {
    const { link } = connect(sshdOptions(sshd));
    const stream = await link.dial({ host: '127.0.0.1', port: echo.port }, origin, never);
    stream.write('hello ');
    stream.end('there');
    expect((await readAll(stream)).toString()).toBe('hello there');
    const talker = await server((socket) => {
      socket.end('first word');
      socket.on('data', (chunk) => heard.push(chunk));
      socket.on('end', () => heard.push(null));
    });
    const heard: (Buffer | null)[] = [];
    const other = await link.dial({ host: '127.0.0.1', port: talker.port }, origin, never);
    expect((await readAll(other)).toString()).toBe('first word');
    other.end('last word');
    await until('the far side to hear it', () => heard.at(-1) === null && heard.length > 1);
    expect(heard[0]?.toString()).toBe('last word');
    talker.close();
  });

  test('20 MB come out as they went in, both ways at once', async () => {
    const { link } = connect(sshdOptions(sshd));
    const stream = await link.dial({ host: '127.0.0.1', port: echo.port }, origin, never);
    const block = randomBytes(1 << 20);
    const sent = createHash('sha256');
    const received = createHash('sha256');
    let bytes = 0;
    stream.on('data', (chunk) => {
      received.update(chunk);
      bytes += chunk.length;
    });
    for (let i = 0; i < 20; i++) {
      block[0] = i;
      const copy = Buffer.from(block);
      sent.update(copy);
      if (!stream.write(copy)) await once(stream, 'drain');
    }
    stream.end();
    await once(stream, 'end');
    expect(bytes).toBe(20 << 20);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
  });

  test('a reader that stops holds no more than a window', async () => {
    const fire = await server((socket) => {
      const block = Buffer.alloc(1 << 20);
      const write = () => {
        while (socket.write(block));
      };
      socket.on('drain', write);
      write();
    });
    const { link } = connect(sshdOptions(sshd));
    const stream = await link.dial({ host: '127.0.0.1', port: fire.port }, origin, never);
    await until('the window to fill', () => stream.readableLength >= 2 << 20);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(stream.readableLength).toBeLessThanOrEqual((2 << 20) + 1);
    stream.destroy();
    fire.close();
  });

  test('says why a target cannot be had', async () => {
    const { link } = connect(sshdOptions(sshd));
    await expect(link.dial({ host: '127.0.0.1', port: await freePort() }, origin, never)).rejects.toMatchObject({
      code: 'target_refused',
    });
    await expect(link.dial({ host: 'no-such-host.invalid', port: 1 }, origin, never)).rejects.toMatchObject({
      code: 'target_unreachable',
    });
    await expect(link.dial({ socket: '/nonexistent/x.sock' }, origin, never)).rejects.toMatchObject({
      code: 'target_unreachable',
    });
  });

  test('destroying a stream ends the flow at the target', async () => {
    let closed = false;
    const target = await server((socket) => {
      socket.on('close', () => {
        closed = true;
      });
      socket.on('data', () => {});
      socket.on('end', () => socket.end());
    });
    const { link } = connect(sshdOptions(sshd));
    const stream = await link.dial({ host: '127.0.0.1', port: target.port }, origin, never);
    stream.destroy(new Error('reset'));
    await until('the target to see it', () => closed);
    target.close();
  });

  test('listens at the far end: a chosen port, port 0, a socket; and lets go', async () => {
    const { link } = connect(sshdOptions(sshd));
    const port = await freePort();
    const take = (stream: Duplex) => stream.end('from here');
    const chosen = await link.listen({ port }, take, never);
    const any = await link.listen({ port: 0 }, take, never);
    const socketPath = path.join(sshd.dir, 'far.sock');
    const socket = await link.listen({ socket: socketPath }, take, never);
    expect(chosen).toMatchObject({ at: `127.0.0.1:${port}`, port });
    expect(any.port).toBeGreaterThan(0);
    for (const to of [port, any.port as number, socketPath]) {
      const client = typeof to === 'string' ? net.connect(to) : net.connect(to, '127.0.0.1');
      expect((await readAll(client)).toString()).toBe('from here');
    }
    await Promise.all([chosen.close(), any.close(), socket.close(), socket.close()]);
    const [error] = await once(net.connect(port, '127.0.0.1'), 'error');
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('a port of the server that is taken, or forbidden', async () => {
    const { link } = connect(sshdOptions(sshd));
    // On both families: sshd is content with either of the loopback addresses.
    const holder = await server(() => {}, '::');
    await expect(link.listen({ port: holder.port }, () => {}, never)).rejects.toMatchObject({
      code: 'remote_port_taken',
      message: expect.stringContaining(String(holder.port)),
    });
    holder.close();
    const strict = await Sshd.start({ config: ['AllowTcpForwarding no'] });
    const denied = connect(sshdOptions(strict));
    await expect(denied.link.listen({ port: await freePort() }, () => {}, never)).rejects.toMatchObject({
      code: 'remote_listen_denied',
    });
    await expect(denied.link.dial({ host: '127.0.0.1', port: echo.port }, origin, never)).rejects.toMatchObject({
      message: expect.stringContaining('does not allow'),
    });
    await strict.stop();
  });

  test('a port that PermitListen leaves out, asked for together with one that is taken', async () => {
    const holder = await server(() => {}, '::');
    const narrow = await Sshd.start({ config: [`PermitListen ${holder.port}`] });
    const { link } = connect(sshdOptions(narrow));
    await link.ready(never);
    const asked = [await freePort(), holder.port].map((port) => link.listen({ port }, () => {}, never));
    const [forbidden, taken] = await Promise.allSettled(asked);
    expect(forbidden).toMatchObject({ reason: { code: 'remote_listen_denied' } });
    expect(taken).toMatchObject({ reason: { code: 'remote_port_taken' } });
    holder.close();
    await narrow.stop();
  });

  test('comes back by itself after the server was killed, and resets what it carried', async () => {
    const own = await Sshd.start();
    const test = connect(sshdOptions(own));
    const stream = await test.link.dial({ host: '127.0.0.1', port: echo.port }, origin, never);
    const ended = once(stream, 'error');
    await own.kill();
    expect((await ended)[0]).toMatchObject({ code: 'host_lost' });
    await until('a try that fails', () =>
      test.statuses.some((s) => s.is === 'retrying' && s.error.code === 'host_refused'),
    );
    await own.run();
    await test.link.ready(never);
    const again = await test.link.dial({ host: '127.0.0.1', port: echo.port }, origin, never);
    again.end('back');
    expect((await readAll(again)).toString()).toBe('back');
    await own.stop();
  });

  test('a port that was let go while the server stood still is known as our own', async () => {
    const own = await Sshd.start();
    const timings = { keepaliveSeconds: 1, keepaliveCount: 1 };
    const test = connect(sshdOptions(own), {}, { timings });
    const port = await freePort();
    const far = await test.link.listen({ port }, () => {}, never);
    for (const pid of own.sessions()) process.kill(pid, 'SIGSTOP');
    await far.close();
    await until('the loss to be noticed', () => test.statuses.some((s) => s.is === 'retrying'));
    await test.link.ready(never);
    await expect(test.link.listen({ port }, () => {}, never)).rejects.toMatchObject({ code: 'remote_port_reclaim' });
    await own.stop();
  });

  test('a changed host key: refused once, both fingerprints, and no login tried', async () => {
    const own = await Sshd.start();
    await own.kill();
    own.changeHostKey();
    await own.run();
    own.log = '';
    const test = connect(sshdOptions(own));
    await expect(test.link.ready(never)).rejects.toMatchObject({
      code: 'host_key_changed',
      message: expect.stringMatching(/SHA256:.*known_hosts:1 has SHA256:/),
      hint: expect.stringContaining('ssh-keygen -f'),
    });
    expect(test.words).toEqual(['connecting', 'failed']);
    await until('the server to see us leave', () => /Connection (closed|reset)|disconnect/i.test(own.log));
    expect(own.log).not.toMatch(/userauth|Failed|Accepted|Invalid user|authenticating user/i);
    await own.stop();
  });
});
