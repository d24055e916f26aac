// The demo's SSH server and its client side, against the system's ssh.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKeyPair } from '../../src/dataplane/carriers/ssh2/server.ts';
import { dialTcp, exchangeTcp, isRefused } from '../../src/demo/exchange.ts';
import { socksDial } from '../../src/demo/socks-dial.ts';
import { setStage } from '../../src/demo/stage.ts';
import { freePort } from '../support/ports.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

// The server lives in this process: waiting for ssh must not block it.
const run = promisify(execFile);
const size = 3 * 1024 * 1024;

test('every key pair it is given is whole', () => {
  // Of so many at least one begins with a zero byte, all but surely.
  const lengths = Array.from({ length: 2000 }, () => {
    const [, blob = ''] = makeKeyPair('test').publicKey.split(' ');
    return Buffer.from(blob, 'base64').length;
  });
  expect(new Set(lengths)).toEqual(new Set([51]));
});

describe.skipIf(missing('ssh'))('the small server', () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'small-server-'));
  const control = path.join(dir, 'ctl');
  let stage: Awaited<ReturnType<typeof setStage>>;
  let master: ChildProcess;
  const ports = { local: 0, socks: 0 };
  const ssh = async (...words: string[]) =>
    (await run('ssh', ['-F', stage.sshConfig, '-S', control, ...words, 'demo'], { timeout: 10_000 })).stdout;

  beforeAll(async () => {
    stage = await setStage(path.join(dir, 'stage'));
    ports.local = await freePort();
    ports.socks = await freePort();
    const forwards = [
      '-L',
      `127.0.0.1:${ports.local}:127.0.0.1:${stage.echo.port}`,
      '-D',
      `127.0.0.1:${ports.socks}`,
      '-L',
      `${dir}/l.sock:${dir}/service.sock`,
    ];
    master = spawn(
      'ssh',
      ['-F', stage.sshConfig, '-N', '-M', '-S', control, '-o', 'ExitOnForwardFailure=yes', ...forwards, 'demo'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await until('the control master', () => existsSync(control));
  });
  afterAll(async () => {
    master.kill();
    await once(master, 'exit');
    await stage.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('direct channels carry both ways, and a refusal is one', async () => {
    expect(await exchangeTcp(await dialTcp(ports.local), size, 10_000)).toBe(2 * size);
    const socket = await socksDial('socks5', ports.socks, stage.echo.port);
    socket.destroy();
    await expect(socksDial('socks5', ports.socks, await freePort())).rejects.toThrow();
  });

  test.each(['socks5', 'socks5-name', 'socks4a'] as const)(
    'the %s client speaks as a real server understands',
    async (way) => {
      expect(await exchangeTcp(await socksDial(way, ports.socks, stage.echo.port), size, 10_000)).toBe(2 * size);
    },
  );

  test('a remote forward: port 0 is granted, carries, and is cancelled', async () => {
    const port = Number(await ssh('-O', 'forward', '-R', `127.0.0.1:0:127.0.0.1:${stage.echo.port}`));
    expect(port).toBeGreaterThan(0);
    expect(await exchangeTcp(await dialTcp(port), size, 10_000)).toBe(2 * size);
    await ssh('-O', 'cancel', '-R', `127.0.0.1:0:127.0.0.1:${stage.echo.port}`);
    await until('the port to be closed', () => isRefused(port, '127.0.0.1'));
  });

  test('Unix sockets at the far end', async () => {
    const server = net
      .createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
      .listen(`${dir}/service.sock`);
    await once(server, 'listening');
    const socket = net.connect({ path: `${dir}/l.sock`, allowHalfOpen: true });
    expect(await exchangeTcp(socket, size, 10_000)).toBe(2 * size);
    server.close();
  });

  test('another key is not let in', async () => {
    const other = path.join(dir, 'other');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    const options = ['IdentitiesOnly=yes', 'BatchMode=yes', `UserKnownHostsFile=${dir}/stage/known_hosts`];
    const words = ['-F', 'none', '-i', other, ...options.flatMap((option) => ['-o', option])];
    words.push('-p', String(stage.ssh.port), '-N', 'demo@127.0.0.1');
    await expect(run('ssh', words, { timeout: 10_000 })).rejects.toThrow(/Permission denied \(publickey\)/);
  });

  test('paused it says nothing to anybody, resumed it goes on where it was', async () => {
    stage.ssh.pause();
    const socket = net.connect(stage.ssh.port, '127.0.0.1');
    await once(socket, 'connect');
    expect(socket.bytesRead).toBe(0);
    const closed = once(socket, 'close');
    stage.ssh.resume();
    await closed;
    expect(await exchangeTcp(await dialTcp(ports.local), size, 10_000)).toBe(2 * size);
  });
});
