import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Origin } from '../../src/dataplane/carriers/carrier.ts';
import { createOpensshLink } from '../../src/dataplane/carriers/openssh/link.ts';
import { sweepRuntimeDirs } from '../../src/dataplane/carriers/openssh/runtime-dir.ts';
import { planLinks } from '../../src/ssh/plan.ts';
import {
  digestServer,
  type LinkUnderTest,
  linkUnderTest,
  origin,
  readAll,
  sha256,
  soon,
} from '../support/link-under-test.ts';
import { freePort } from '../support/ports.ts';
import { Sshd, type SshdOptions } from '../support/sshd.ts';
import { findTool, missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

let runtime: string;
let sshd: Sshd;
let open: LinkUnderTest[] = [];

const start = async (options: SshdOptions = {}) => {
  sshd = await Sshd.start(options);
};

async function linkTo(options: string[] = ['carrier=openssh']): Promise<LinkUnderTest> {
  const [spec] = await planLinks({ dest: 'box', overrides: { configFile: sshd.clientConfig, options } });
  if (spec === undefined) throw new Error('no link');
  expect(spec.carrier).toBe('openssh');
  const under = linkUnderTest(createOpensshLink, spec);
  open.push(under);
  return under;
}

const dirs = () => readdirSync(runtime).filter((name) => name.startsWith('sallyport-ssh-'));

/** Control masters of this test's folder. */
function masters(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`-S\0${runtime}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Connections the server at `port` holds. */
function established(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/));
  return rows.filter(([, from, , state]) => from?.endsWith(local) && state === '01').length;
}

beforeAll(() => {
  runtime = mkdtempSync(path.join(os.tmpdir(), 'rt-'));
  process.env.XDG_RUNTIME_DIR = runtime;
});
afterAll(() => rmSync(runtime, { recursive: true, force: true }));
beforeEach(() => {
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map(({ link }) => link.stop()));
  await sshd?.stop();
  expect(dirs()).toEqual([]);
  expect(masters()).toEqual([]);
});

async function carries(under: LinkUnderTest, megabytes = 20): Promise<void> {
  const server = await digestServer(megabytes);
  const sent = randomBytes(megabytes << 20);
  const stream = await under.link.dial({ host: '127.0.0.1', port: server.port }, origin, soon());
  stream.end(sent);
  const got = await readAll(stream);
  const newline = got.indexOf('\n');
  expect(got.subarray(0, newline).toString()).toBe(sha256(sent));
  expect(sha256(got.subarray(newline + 1))).toBe(server.digest);
  server.close();
}

async function echoServer(text: string): Promise<{ port: number; close(): void }> {
  const server = net.createServer((socket) => socket.on('error', () => {}).end(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

describe.skipIf(missing('ssh', 'sshd'))('the openssh carrier', () => {
  test('carries 20 MB each way, half-closed, and tells what it negotiated', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    const status = await under.reached('up');
    expect(status).toMatchObject({
      address: `127.0.0.1:${sshd.port}`,
      serverVersion: expect.stringContaining('OpenSSH'),
    });
    expect(status).toMatchObject({ kex: expect.stringMatching(/\w/), cipher: expect.stringMatching(/\w/) });
    await carries(under);
  });

  test('many flows to several targets at once end up where they belong', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    const servers = await Promise.all(['alpha', 'beta', 'gamma'].map(echoServer));
    const closedPort = await freePort();
    const flows = Array.from({ length: 150 }, (_, i) => i);
    const texts = await Promise.all(
      flows.map(async (i) => {
        if (i % 5 === 4) {
          const refused = under.link.dial({ host: '127.0.0.1', port: closedPort }, origin, soon());
          return refused.then(
            () => 'open',
            (error) => error.code,
          );
        }
        const stream = await under.link.dial({ host: '127.0.0.1', port: servers[i % 3]?.port ?? 0 }, origin, soon());
        const text = (await readAll(stream)).toString();
        stream.end();
        return text;
      }),
    );
    expect(texts).toEqual(flows.map((i) => (i % 5 === 4 ? 'target_refused' : ['alpha', 'beta', 'gamma'][i % 3])));
    for (const server of servers) server.close();
  });

  test('more flows at once than the kernel queues', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    const server = await echoServer('here');
    const dial = async () => {
      const stream = await under.link.dial({ host: '127.0.0.1', port: server.port }, origin, soon());
      const text = (await readAll(stream)).toString();
      stream.end();
      return text;
    };
    const texts = await Promise.all(Array.from({ length: 400 }, dial));
    expect(texts.filter((text) => text === 'here')).toHaveLength(400);
    server.close();
  });

  test('more targets than listeners are kept', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    const server = await echoServer('here');
    await under.reached('up');
    const [dir] = dirs();
    const listeners = () => readdirSync(path.join(runtime, dir ?? '')).filter((name) => name.startsWith('l'));
    for (let port = 1; port <= 140; port += 20) {
      const ports = Array.from({ length: 20 }, (_, i) => port + i);
      const dials = ports.map((each) => under.link.dial({ host: '127.0.0.9', port: each }, origin, soon()));
      for (const dialled of await Promise.allSettled(dials)) expect(dialled.status).toBe('rejected');
    }
    await until('old listeners to go', () => listeners().length <= 128);
    const stream = await under.link.dial({ host: '127.0.0.1', port: server.port }, origin, soon());
    expect((await readAll(stream)).toString()).toBe('here');
    server.close();
  });

  test('targets that cannot be reached say so', async () => {
    await start({ config: ['PermitOpen 127.0.0.1:1 127.0.0.1:2'] });
    const under = await linkTo();
    under.link.hold();
    const code = (target: { host: string; port: number } | { socket: string }) =>
      under.link.dial(target, origin, soon()).then(
        () => 'open',
        (error) => error.code,
      );
    expect(await code({ host: '127.0.0.1', port: 1 })).toBe('target_refused');
    expect(await code({ host: '127.0.0.1', port: 3 })).toBe('target_prohibited');
    expect(await code({ host: 'x:80:y', port: 3 })).toBe('target_prohibited');
    expect(await code({ host: '/etc/passwd', port: 3 })).toBe('target_unreachable');
    expect(await code({ host: 'a b', port: 3 })).toBe('target_unreachable');
    expect(await code({ socket: '/nonexistent/socket' })).toBe('target_unreachable');
    const aborted = under.link.dial({ host: '127.0.0.1', port: 1 }, origin, AbortSignal.abort(new Error('no more')));
    await expect(aborted).rejects.toThrow('no more');
  });

  test('reaches a Unix socket there', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    const socketPath = path.join(sshd.dir, 'tar:get.sock');
    const server = net.createServer((socket) => socket.end('unix'));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const stream = await under.link.dial({ socket: socketPath }, origin, soon());
    expect((await readAll(stream)).toString()).toBe('unix');
    server.close();
  });

  test('listens there: a port, port 0, a socket; a taken port is told from a forbidden one', async () => {
    await start({ config: ['ClientAliveInterval 15'] });
    const under = await linkTo();
    under.link.hold();
    const peers: Origin[] = [];
    const accept = (stream: Duplex, peer: Origin) => {
      peers.push(peer);
      readAll(stream).then(
        (got) => stream.end(`got ${sha256(got)}`),
        () => {},
      );
    };
    const talk = (to: net.NetConnectOpts) => {
      const sent = randomBytes(1 << 20);
      const socket = net.connect({ ...to, allowHalfOpen: true });
      let localPort: number | undefined;
      socket.once('connect', () => {
        localPort = socket.localPort;
      });
      socket.end(sent);
      return readAll(socket).then((got) => [got.toString(), `got ${sha256(sent)}`, localPort] as const);
    };
    const free = await under.link.listen({ port: 0 }, accept, soon());
    expect(free.at).toBe(`127.0.0.1:${free.port}`);
    const [got, wanted, localPort] = await talk({ host: '127.0.0.1', port: free.port as number });
    expect(got).toBe(wanted);
    expect(peers).toEqual([{ address: '127.0.0.1', port: localPort }]);

    const port = await freePort();
    const named = await under.link.listen({ address: '127.0.0.1', port }, accept, soon());
    const again = await talk({ host: '127.0.0.1', port });
    expect(again[0]).toBe(again[1]);
    await expect(under.link.listen({ address: '127.0.0.1', port: sshd.port }, accept, soon())).rejects.toMatchObject({
      code: 'remote_port_taken',
    });

    const socketPath = path.join(sshd.dir, 'far.sock');
    const unix = await under.link.listen({ socket: socketPath }, accept, soon());
    const overUnix = await talk({ path: socketPath });
    expect(overUnix[0]).toBe(overUnix[1]);
    expect(peers.at(-1)).toEqual({ address: '', port: 0 });

    const refused = (number: number | null) =>
      new Promise<boolean>((resolve) => {
        const socket = net.connect(number as number, '127.0.0.1');
        socket.once('error', () => resolve(true)).once('connect', () => resolve(!socket.destroy()));
      });
    await Promise.all([free.close(), free.close(), named.close(), unix.close()]);
    await until('both ports closed', async () => (await refused(free.port)) && (await refused(port)));
  });

  test('a server that allows no remote forward', async () => {
    await start({ config: ['AllowTcpForwarding local'] });
    const under = await linkTo();
    under.link.hold();
    const port = await freePort();
    await expect(under.link.listen({ port }, () => {}, soon())).rejects.toMatchObject({ code: 'remote_listen_denied' });
  });

  test('a killed master resets its flows, not ends them, and is replaced', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    await under.reached('up');
    const quiet = net.createServer(() => {});
    await new Promise<void>((resolve) => quiet.listen(0, '127.0.0.1', resolve));
    const { port } = quiet.address() as net.AddressInfo;
    const dial = () => under.link.dial({ host: '127.0.0.1', port }, origin, soon());
    const streams = await Promise.all(Array.from({ length: 40 }, dial));
    const ended = Promise.allSettled(streams.map((stream) => readAll(stream)));
    for (const pid of masters()) process.kill(pid, 'SIGKILL');
    for (const outcome of await ended) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'host_lost' } });
    }
    await under.reached('retrying');
    await under.reached('up');
    await carries(under, 1);
    quiet.close();
  });

  test('a port the server still holds for our lost connection is waited for', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    const port = await freePort();
    await under.link.listen({ address: '127.0.0.1', port }, () => {}, soon());
    const sessions = sshd.sessions();
    for (const pid of sessions) process.kill(pid, 'SIGSTOP');
    for (const pid of masters()) process.kill(pid, 'SIGKILL');
    await under.reached('retrying');
    under.link.retry();
    await under.reached('up');
    const again = () => under.link.listen({ address: '127.0.0.1', port }, () => {}, soon());
    await expect(again()).rejects.toMatchObject({ code: 'remote_port_reclaim' });
    for (const pid of sessions) process.kill(pid, 'SIGCONT');
    await until('the port', () => again().then(() => true));
  });

  test('a killed server is retried until it is back', async () => {
    await start();
    const under = await linkTo();
    under.link.hold();
    await under.reached('up');
    await sshd.kill();
    await under.reached('retrying');
    await sshd.run();
    under.link.retry();
    await under.reached('up');
    await carries(under, 1);
  });

  test('user certificates, and no authorized key', async () => {
    await start({ authorized: false });
    const ca = path.join(sshd.dir, 'ca');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', ca]);
    execFileSync('ssh-keygen', ['-q', '-s', ca, '-I', 'test', '-n', os.userInfo().username, `${sshd.key}.pub`]);
    await sshd.kill();
    appendFileSync(path.join(sshd.dir, 'sshd_config'), `TrustedUserCAKeys ${ca}.pub\n`);
    await sshd.run();
    const under = await linkTo([]);
    under.link.hold();
    await under.reached('up');
    await carries(under);
  });

  test('a host certificate', async () => {
    await start();
    const ca = path.join(sshd.dir, 'ca');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', ca]);
    execFileSync('ssh-keygen', ['-q', '-s', ca, '-h', '-I', 'host', '-n', '127.0.0.1', `${sshd.hostKey}.pub`]);
    const authority = readFileSync(`${ca}.pub`, 'utf8');
    writeFileSync(sshd.knownHosts, `@cert-authority [127.0.0.1]:${sshd.port} ${authority}`);
    await sshd.kill();
    appendFileSync(path.join(sshd.dir, 'sshd_config'), `HostCertificate ${sshd.hostKey}-cert.pub\n`);
    await sshd.run();
    const under = await linkTo([]);
    under.link.hold();
    await under.reached('up');
  });

  test('a server that takes the connection and says nothing', async () => {
    await start();
    const silent = net.createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as net.AddressInfo;
    const under = await linkTo(['carrier=openssh', `Port=${port}`, 'ConnectTimeout=1']);
    under.link.hold();
    expect(await under.reached('retrying')).toMatchObject({ error: { code: 'host_timeout' } });
    silent.close();
  });

  test('a key exchange and a cipher the embedded client lacks, or likes least', async () => {
    const kex = 'sntrup761x25519-sha512@openssh.com';
    await start({ config: [`KexAlgorithms ${kex}`, 'Ciphers chacha20-poly1305@openssh.com'] });
    const under = await linkTo([`KexAlgorithms=${kex}`]);
    under.link.hold();
    const status = await under.reached('up');
    expect(status).toMatchObject({ kex, cipher: 'chacha20-poly1305@openssh.com' });
    await carries(under);
  });

  test('an encrypted key waits for its passphrase; a wrong one is asked again', async () => {
    await start();
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', sshd.key]);
    const under = await linkTo();
    under.link.hold();
    expect(await under.reached('waiting')).toMatchObject({ error: { code: 'passphrase_needed' } });
    const first = under.prompts[0];
    expect(first).toMatchObject({ kind: 'passphrase', title: `passphrase for ${sshd.key}`, fields: [{ echo: false }] });
    under.link.answer(first?.id ?? '', { answers: ['wrong'], remember: 'engine' });
    await until('the next question', () => under.prompts[0] !== undefined && under.prompts[0].id !== first?.id);
    under.link.answer(under.prompts[0]?.id ?? '', { answers: ['open sesame'], remember: 'engine' });
    await under.reached('up');
    expect(under.prompts).toEqual([]);
    for (const pid of masters()) process.kill(pid, 'SIGKILL');
    await under.reached('retrying');
    await under.reached('up');
    expect(under.statuses.filter(({ is }) => is === 'waiting')).toHaveLength(2);
  });

  test('an answer that comes after the server gave up serves the next try', async () => {
    await start({ config: ['LoginGraceTime 2'] });
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'late', '-f', sshd.key]);
    const under = await linkTo();
    under.link.hold();
    await under.reached('waiting');
    await until('the server to give up', () => established(sshd.port) === 0);
    expect(under.statuses.at(-1)?.is).toBe('waiting');
    under.link.answer(under.prompts[0]?.id ?? '', { answers: ['late'], remember: 'once' });
    await under.reached('up');
  });

  test('an unknown host key is shown with its fingerprint and, accepted, written as ssh does', async () => {
    await start();
    const known = readFileSync(sshd.knownHosts, 'utf8');
    writeFileSync(sshd.knownHosts, '');
    const under = await linkTo(['carrier=openssh', 'StrictHostKeyChecking=ask']);
    under.link.hold();
    expect(await under.reached('waiting')).toMatchObject({ error: { code: 'host_key_unknown' } });
    const [, fingerprint] = execFileSync('ssh-keygen', ['-lf', `${sshd.hostKey}.pub`], { encoding: 'utf8' }).split(' ');
    expect(under.prompts[0]).toMatchObject({ kind: 'host_key', fingerprint, keyType: 'ED25519' });
    under.link.answer(under.prompts[0]?.id ?? '', { hostKey: 'yes' });
    await under.reached('up');
    await until('known_hosts', () =>
      readFileSync(sshd.knownHosts, 'utf8').includes(known.split(' ')[2]?.trim() ?? '?'),
    );
  });

  test('a refused and a changed host key fail for good', async () => {
    await start();
    const good = readFileSync(sshd.knownHosts);
    writeFileSync(sshd.knownHosts, '');
    const asked = await linkTo(['carrier=openssh', 'StrictHostKeyChecking=ask']);
    asked.link.hold();
    await asked.reached('waiting');
    asked.link.answer(asked.prompts[0]?.id ?? '', { hostKey: 'no' });
    expect(await asked.reached('failed')).toMatchObject({ error: { code: 'host_key_unknown' } });
    writeFileSync(sshd.knownHosts, good);
    await sshd.kill();
    sshd.changeHostKey();
    await sshd.run();
    const changed = await linkTo();
    changed.link.hold();
    const status = await changed.reached('failed');
    const [, fingerprint] = execFileSync('ssh-keygen', ['-lf', `${sshd.hostKey}.pub`], { encoding: 'utf8' }).split(' ');
    expect(status).toMatchObject({
      error: { code: 'host_key_changed', message: expect.stringContaining(fingerprint ?? '?') },
    });
    await expect(changed.link.ready(soon())).rejects.toMatchObject({ code: 'host_key_changed' });
  });

  test('denied, and refused', async () => {
    await start({ authorized: false });
    const denied = await linkTo();
    denied.link.hold();
    expect(await denied.reached('failed')).toMatchObject({ error: { code: 'auth_denied' } });
    await sshd.kill();
    const refused = await linkTo();
    const release = refused.link.hold();
    expect(await refused.reached('retrying')).toMatchObject({ error: { code: 'host_refused' } });
    release();
    await refused.reached('idle');
  });

  test('forwards of the configuration are left alone', async () => {
    await start();
    const port = await freePort();
    appendFileSync(
      sshd.clientConfig,
      `  LocalForward ${port} 127.0.0.1:1\n  ControlMaster auto\n  ControlPath ${sshd.dir}/own\n`,
    );
    const under = await linkTo();
    under.link.hold();
    await carries(under, 1);
    expect(existsSync(`${sshd.dir}/own`)).toBe(false);
    const taken = net.createServer();
    await new Promise<void>((resolve, reject) => taken.once('error', reject).listen(port, '127.0.0.1', resolve));
    taken.close();
  });

  test('goes through a jump host by itself', async () => {
    await start();
    appendFileSync(sshd.clientConfig, `Host hop\n  HostName localhost\n  HostKeyAlias [127.0.0.1]:${sshd.port}\n`);
    copyFileSync(sshd.clientConfig, `${sshd.clientConfig}.own`);
    const common = readFileSync(sshd.clientConfig, 'utf8')
      .split('\n')
      .slice(2, 8)
      .filter((line) => !/HostName/.test(line));
    writeFileSync(sshd.clientConfig, `${readFileSync(sshd.clientConfig, 'utf8')}\n${common.join('\n')}\n`);
    const under = await linkTo(['carrier=openssh', 'ProxyJump=hop']);
    under.link.hold();
    expect(await under.reached('up')).toMatchObject({ address: expect.stringContaining('via proxy') });
    await carries(under, 1);
  });

  test('what a killed engine left behind is swept', async () => {
    await start();
    const left = mkdtempSync(path.join(runtime, 'sallyport-ssh-'));
    const control = path.join(left, 'ctl');
    execFileSync('ssh', ['-F', sshd.clientConfig, '-f', '-N', '-M', '-S', control, 'box'], { stdio: 'ignore' });
    await until('the orphan', () => existsSync(control) && masters().length === 1);
    const past = new Date(Date.now() - 60_000);
    utimesSync(left, past, past);
    await sweepRuntimeDirs(findTool('ssh') as string);
    await until('the orphan to end', () => masters().length === 0);
    expect(existsSync(left)).toBe(false);
  });
});
