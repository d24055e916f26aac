import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createSsh2Link } from '../../src/dataplane/carriers/ssh2/index.ts';
import { connectTcp, interleave } from '../../src/dataplane/carriers/ssh2/tcp.ts';
import type { LinkSpec, ResolvedOptions } from '../../src/model/host.ts';
import { startDropbear } from '../support/dropbear.ts';
import { root } from '../support/global-setup.ts';
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

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ link }) => link.stop()));
});

/** Sends 20 MB through a dial to an echo server and compares digests. */
async function carries20Megabytes(test: TestLink, port: number): Promise<void> {
  const stream = await test.link.dial({ host: '127.0.0.1', port }, origin, never);
  const data = randomBytes(20 << 20);
  const received = createHash('sha256');
  stream.on('data', (chunk) => received.update(chunk));
  stream.end(data);
  await once(stream, 'end');
  expect(received.digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
}

test('the native crypto of ssh2 loads; without it everything works at a tenth of the speed', () => {
  const require = createRequire(import.meta.url);
  expect(typeof require('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node').AESGCMCipher).toBe('function');
});

test("loads in plain Node, which sees fewer of a CommonJS package's names than a bundler does", () => {
  const door = path.join(root, 'src/dataplane/carriers/ssh2/index.ts');
  const script = `import(${JSON.stringify(door)}).then((m) => console.log(typeof m.createSsh2Link))`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })).toBe('function\n');
});

describe('addresses', () => {
  test('families by turns', () => {
    const of = (...families: number[]) => families.map((family, i) => ({ family, i }));
    expect(interleave(of(6, 6, 6, 4, 4)).map(({ i }) => i)).toEqual([0, 3, 1, 4, 2]);
    expect(interleave(of(4, 6, 6)).map(({ i }) => i)).toEqual([0, 1, 2]);
    expect(interleave([])).toEqual([]);
  });

  test('a name with an address that refuses still connects, or says why not', async () => {
    const server = net.createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const options = { host: 'localhost', port, family: 0, bindAddress: '', keepAlive: false, signal: never } as const;
    const socket = await connectTcp(options);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
    server.close();
    await once(server, 'close');
    await expect(connectTcp(options)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe.skipIf(missing('sshd', 'ssh'))('ways to the server, against OpenSSH', () => {
  let sshd: Sshd;
  let echo: net.Server;
  let echoPort: number;

  beforeAll(async () => {
    sshd = await Sshd.start();
    echo = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    echoPort = (echo.address() as net.AddressInfo).port;
  });
  afterAll(async () => {
    echo?.close();
    await sshd?.stop();
  });

  test.each([
    ['only chacha20', 'Ciphers chacha20-poly1305@openssh.com'],
    ['only aes256-ctr', 'Ciphers aes256-ctr'],
    ['only rsa-sha2-512', 'HostKeyAlgorithms rsa-sha2-512'],
    ['only group16', 'KexAlgorithms diffie-hellman-group16-sha512'],
  ])('a server with %s carries 20 MB', async (_, line) => {
    const rsa = path.join(sshd.dir, `rsa-${randomBytes(4).toString('hex')}`);
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-f', rsa]);
    const own = await Sshd.start({ config: [line, `HostKey ${rsa}`] });
    const test = connect(sshdOptions(own, { userknownhostsfile: '/dev/null', stricthostkeychecking: 'no' }));
    await carries20Megabytes(test, echoPort);
    await own.stop();
  });

  test('nothing in common is said once, and not tried again', async () => {
    const own = await Sshd.start({ config: ['Ciphers aes128-ctr'] });
    const test = connect(sshdOptions(own, { ciphers: 'aes256-gcm@openssh.com' }));
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'no_common_algorithm' });
    expect(test.words).toEqual(['connecting', 'failed']);
    const lacking = connect(sshdOptions(own, { kexalgorithms: 'sntrup761x25519-sha512@openssh.com' }));
    await expect(lacking.link.ready(never)).rejects.toMatchObject({ code: 'no_common_algorithm' });
    await own.stop();
  });

  test('compression, new keys under way, and both', async () => {
    const own = await Sshd.start({ config: ['RekeyLimit 4M'] });
    const test = connect(sshdOptions(own, { compression: 'yes' }));
    await carries20Megabytes(test, echoPort);
    expect(test.words).toEqual(['connecting', 'up']);
    await own.stop();
  });

  test('a proxy command carries it, and its whole process group ends with it', async () => {
    const pidFile = path.join(sshd.dir, 'proxy.pid');
    const test = connect(sshdOptions(sshd, { proxycommand: `sh -c 'echo $$ > ${pidFile}; socat - TCP:%h:%p; true'` }));
    await carries20Megabytes(test, echoPort);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await test.link.stop();
    await until('the command to end', () => !existsSync(`/proc/${pid}`));
  });

  test("a proxy command is the user's shell's to read", async () => {
    const before = process.env.SHELL;
    process.env.SHELL = '/bin/bash';
    // What plain sh has no word for.
    const test = connect(sshdOptions(sshd, { proxycommand: '> >(cat) < <(cat) socat - TCP:%h:%p' }));
    const status = until('an outcome', () => test.statuses.find((s) => s.is === 'retrying' || s.is === 'up'));
    try {
      expect(await status).toMatchObject({ is: 'up' });
    } finally {
      if (before === undefined) delete process.env.SHELL;
      else process.env.SHELL = before;
    }
  });

  test('a proxy command that fails says so in its own words', async () => {
    const test = connect(sshdOptions(sshd, { proxycommand: 'echo no way out >&2; exit 3' }));
    const status = await until('the failure', () => test.statuses.find((s) => s.is === 'retrying'));
    expect(status).toMatchObject({ error: { code: 'proxy_failed', message: expect.stringContaining('no way out') } });
  });

  test('through a jump host, which is shared, named when it fails, and followed when it is back', async () => {
    const jump = await Sshd.start();
    const first = connect(sshdOptions(jump));
    const via = { via: first.link };
    first.release();
    expect(first.status.is).toBe('idle');
    const spec = { via: first.link.id };
    const options = sshdOptions(sshd, { proxyjump: 'jumper' });
    const one = connect(options, spec, via);
    const two = connect(options, spec, via);
    await carries20Megabytes(one, echoPort);
    await two.link.ready(never);
    expect(jump.log.match(/Accepted publickey/g)).toHaveLength(1);
    expect(one.status).toMatchObject({ is: 'up', address: `127.0.0.1:${sshd.port}` });

    await jump.kill();
    const lost = await until('the loss', () => one.statuses.find((status) => status.is === 'retrying'));
    expect(lost).toMatchObject({ error: { code: 'jump_failed', message: expect.stringContaining('jumper') } });
    await jump.run();
    await Promise.all([one.link.ready(never), two.link.ready(never)]);
    one.release();
    two.release();
    await until('the jump host to idle', () => first.status.is === 'idle');
    await jump.stop();
  });

  test('a jump host that cannot log in fails what is behind it, once', async () => {
    const jump = await Sshd.start({ authorized: false });
    const first = connect(sshdOptions(jump));
    const behind = connect(sshdOptions(sshd, { proxyjump: 'jumper' }), {}, { via: first.link });
    await expect(behind.link.ready(never)).rejects.toMatchObject({
      code: 'jump_failed',
      message: expect.stringMatching(/jumper.*may not log in/),
    });
    expect(behind.status.is).toBe('failed');
    writeFileSync(path.join(jump.dir, 'authorized_keys'), readFileSync(`${jump.key}.pub`));
    first.link.retry();
    await behind.reached('up');
    await jump.stop();
  });

  test('a dial and a listen wait for the link, and give up at their signal', async () => {
    const port = await freePort();
    const test = connect(sshdOptions(sshd, { port: String(port) }));
    const waiting = new AbortController();
    const dial = test.link.dial({ host: 'x', port: 1 }, origin, waiting.signal);
    await until('a refusal', () => test.statuses.some((s) => s.is === 'retrying' && s.error.code === 'host_refused'));
    waiting.abort(new Error('enough'));
    await expect(dial).rejects.toThrow('enough');
  });

  test('a port our own dead session still holds is waited for, not taken for another program', async () => {
    // The server hears nothing of our end: what is between us goes silent.
    const sockets: net.Socket[] = [];
    const between = net.createServer((socket) => {
      const far = net.connect(sshd.port, '127.0.0.1');
      for (const end of [socket, far]) end.on('error', () => {});
      socket.pipe(far, { end: false });
      far.pipe(socket, { end: false });
      sockets.push(socket, far);
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const { port } = between.address() as net.AddressInfo;
    const test = connect(
      sshdOptions(sshd, { port: String(port), userknownhostsfile: '/dev/null', stricthostkeychecking: 'no' }),
    );
    const far = await freePort();
    await test.link.listen({ port: far }, () => {}, never);
    sockets[0]?.destroy();
    await until('the link to be back', () => test.words.filter((word) => word === 'up').length === 2);
    await expect(test.link.listen({ port: far }, () => {}, never)).rejects.toMatchObject({
      code: 'remote_port_reclaim',
    });
    sockets[1]?.destroy();
    await until('the port to be ours again', () => test.link.listen({ port: far }, () => {}, never));
    for (const socket of sockets) socket.destroy();
    between.close();
  });
});

const needsRoot = process.getuid?.() !== 0 && 'a home of its own for dropbear needs root';

describe.skipIf(missing('dropbear', 'ssh') || needsRoot)('against dropbear', () => {
  test('comes up and carries 20 MB', async () => {
    const dropbear = await startDropbear();
    const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    try {
      const test = connect({
        hostname: '127.0.0.1',
        port: String(dropbear.port),
        user: os.userInfo().username,
        identityfile: [dropbear.key],
        identityagent: 'none',
        userknownhostsfile: path.join(dropbear.dir, 'kh'),
        stricthostkeychecking: 'accept-new',
      });
      await carries20Megabytes(test, (echo.address() as net.AddressInfo).port);
    } finally {
      echo.close();
      await dropbear.stop();
    }
  });
});
