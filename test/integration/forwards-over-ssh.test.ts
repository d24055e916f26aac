// The three kinds of tunnel over a real OpenSSH server, with either carrier.
import { execFile } from 'node:child_process';
import http from 'node:http';
import type net from 'node:net';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SshCarrier } from '../../src/model/host.ts';
import { linkSpec, sshdOptions } from '../support/link.ts';
import { ask, blob, connect, echo, fate, Plane, readAll, type Server, serve, sha } from '../support/plane.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

describe.skipIf(missing('ssh', 'sshd', 'curl')).each<SshCarrier>(['ssh2', 'openssh'])('over %s', (carrier) => {
  let sshd: Sshd;
  let plane: Plane;
  const servers: { close(): void }[] = [];

  beforeAll(async () => {
    sshd = await Sshd.start();
  });
  afterAll(() => sshd.stop());
  beforeEach(() => {
    plane = new Plane({ over: linkSpec(sshdOptions(sshd), { carrier, args: ['-F', sshd.clientConfig] }) });
  });
  afterEach(async () => {
    await plane.shutdown();
    for (const server of servers.splice(0)) server.close();
  });

  const keep = (server: Server) => {
    servers.push(server);
    return server;
  };
  const ssh = (kind: string, more: Record<string, unknown>) => ({
    kind,
    name: 'f',
    host: 'box',
    listen: { port: 0 },
    ...more,
  });
  const at = (port: number) => ({ target: { host: '127.0.0.1', port } });

  test('local: 20 MB whole, half-close, counted', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(ssh('local', at(target)));
    const data = blob(20 << 20);
    const client = connect(port);
    client.end(data);
    expect(sha(await readAll(client))).toBe(sha(data));
    await until('the flow to end', () => plane.counts('f').flows === 0);
    expect(plane.counts('f')).toMatchObject({ rx: data.length, tx: data.length, flowsTotal: 1 });
  });

  test('local: an answer that comes after the question has ended', async () => {
    const { port: target } = keep(await serve(async (socket) => void socket.end(`you said ${await readAll(socket)}`)));
    const port = await plane.open(ssh('local', at(target)));
    expect(await ask(port, 'hi')).toBe('you said hi');
  });

  test('remote: 20 MB whole, the granted port shown', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(ssh('remote', at(target)));
    expect(port).toBeGreaterThan(0);
    const data = blob(20 << 20);
    const client = connect(port);
    client.end(data);
    expect(sha(await readAll(client))).toBe(sha(data));
    expect(plane.counts('f')).toMatchObject({ rx: data.length, tx: data.length });
    await plane.stop('f');
    await until('the far listener to go', async () => (await fate(connect(port))) === 'ECONNREFUSED');
  });

  test('dynamic: every way curl asks', async () => {
    const body = blob(1 << 20);
    const server = http.createServer((_, response) => response.end(body));
    servers.push({ close: () => void server.close() });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://localhost:${(server.address() as net.AddressInfo).port}/`;
    const port = await plane.open(ssh('dynamic', {}));
    for (const flag of ['--socks4', '--socks4a', '--socks5', '--socks5-hostname']) {
      const args = ['-sS', '-m', '20', flag, `127.0.0.1:${port}`, url];
      const { stdout } = await run('curl', args, { encoding: 'buffer', maxBuffer: 1 << 24 });
      expect(sha(stdout)).toBe(sha(body));
    }
  });

  test('remote without a target: a SOCKS server at the far end', async () => {
    const { port: target } = keep(await echo());
    const port = await plane.open(ssh('remote', {}));
    const client = connect(port);
    client.end(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255, 0x68, 0x69]));
    expect((await readAll(client)).subarray(12).toString()).toBe('hi');
  });

  test('a target that refuses ends the client and is told', async () => {
    const port = await plane.open(ssh('local', at(await freePort())));
    expect(['ECONNRESET', 'end']).toContain(await fate(connect(port)));
    await until('the note', () => plane.notes('target_refused').length === 1);
  });

  test('the server killed and back: what arrives meanwhile waits, and the remote forward listens again', async () => {
    const { port: target } = keep(await echo());
    const local = await plane.open(ssh('local', at(target)));
    const far = await freePort();
    await plane.open(ssh('remote', { name: 'r', listen: { port: far }, ...at(target) }));
    expect(await ask(local, 'before')).toBe('before');
    await sshd.kill();
    await until('the loss', () => plane.of('link').at(-1)?.status.is !== 'up');
    const early = ask(local, 'meanwhile');
    await sshd.run();
    expect(await early).toBe('meanwhile');
    await until('the remote forward', () => plane.status('r')?.is === 'open');
    expect(await ask(far, 'after')).toBe('after');
  });
});
