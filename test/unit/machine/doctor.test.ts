import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Surroundings } from '../../../src/machine/doctor/check.ts';
import {
  bridgeNetfilter,
  conntrackAccounting,
  fileLimit,
  hasNetAdmin,
  ipForward,
  nftables,
} from '../../../src/machine/doctor/kernel.ts';
import { nativeCrypto, nodeVersion, sshAgent, sshClient } from '../../../src/machine/doctor/programs.ts';
import { colours, lingering, locale, runtimeFolder } from '../../../src/machine/doctor/session.ts';
import { checks } from '../../../src/machine/doctor.ts';

const around = (files: Record<string, string> = {}, more: Partial<Surroundings> = {}): Surroundings => ({
  env: {},
  text: async (file) => files[file] ?? null,
  firstLine: async () => null,
  ...more,
});

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'doctor-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ['22.17.1', false],
  ['22.18.0', true],
  ['20.20.2', false],
  ['24.0.0', true],
])('Node.js %s: %s', (version, ok) => {
  expect(nodeVersion(version).ok).toBe(ok);
});

test('the native crypto of this checkout is loaded, and its absence would be noticed', () => {
  expect(nativeCrypto()).toMatchObject({ ok: true });
  const broken = nativeCrypto(() => {
    throw new Error('compiled against a different Node.js version\nmore');
  });
  expect(broken).toMatchObject({ ok: false, detail: expect.stringContaining('different Node.js version') });
  expect(broken.detail).not.toContain('\n');
});

test('the right to change the kernel', () => {
  expect(hasNetAdmin('Name:\tnode\nCapPrm:\t0\nCapEff:\t000001ffffffffff\n')).toBe(true);
  expect(hasNetAdmin('CapEff:\t0000000000001000\n')).toBe(true);
  expect(hasNetAdmin('CapEff:\t0000000000000000\n')).toBe(false);
  expect(hasNetAdmin('')).toBe(false);
});

test('nftables: absent, useless, useful', async () => {
  const firstLine = async () => 'nftables v1.0.6';
  expect(await nftables(around())).toMatchObject({ ok: null, hint: expect.stringContaining('install nftables') });
  expect(await nftables(around({ '/proc/self/status': 'CapEff:\t0\n' }, { firstLine }))).toMatchObject({ ok: null });
  expect(await nftables(around({ '/proc/self/status': 'CapEff:\t1000\n' }, { firstLine }))).toMatchObject({ ok: true });
});

test("the kernel's switches", async () => {
  const set = (name: string, value: string) => around({ [`/proc/sys/${name.replaceAll('.', '/')}`]: `${value}\n` });
  expect(await ipForward(set('net.ipv4.ip_forward', '1'))).toMatchObject({ ok: true });
  expect(await ipForward(set('net.ipv4.ip_forward', '0'))).toMatchObject({
    ok: null,
    hint: 'sysctl -w net.ipv4.ip_forward=1',
  });
  expect(await conntrackAccounting(around())).toMatchObject({ ok: null });
  expect(await bridgeNetfilter(around())).toMatchObject({ ok: true });
  expect(await bridgeNetfilter(set('net.bridge.bridge-nf-call-iptables', '1'))).toMatchObject({
    ok: null,
    hint: 'sysctl -w net.bridge.bridge-nf-call-iptables=0',
  });
});

test('the limit of open files', async () => {
  const limits = (soft: string, hard: string) =>
    around({
      '/proc/self/limits': `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}                ${hard}                files\n`,
    });
  expect(await fileLimit(limits('1024', '1048576'))).toMatchObject({
    ok: false,
    detail: expect.stringContaining('512 flows'),
  });
  expect(await fileLimit(limits('20000', '20000'))).toEqual({
    check: 'descriptors',
    ok: true,
    detail: '20000 open files',
    hint: '',
  });
  expect(await fileLimit(limits('unlimited', 'unlimited'))).toMatchObject({ ok: true });
});

describe('the SSH agent', () => {
  const agent = (answer: Buffer | null) =>
    new Promise<net.Server>((resolve) => {
      const server = net.createServer((socket) => {
        socket.on('error', () => {});
        // One byte at a time, as a stream may bring it.
        socket.on('data', () => answer?.forEach((byte) => void socket.write(Buffer.from([byte]))));
      });
      const file = path.join(dir, `agent-${Math.random()}`);
      server.listen(file, () => resolve(server));
    });
  const ask = (socketPath: string | undefined, timeoutMs = 3000) =>
    sshAgent(around({}, { env: { SSH_AUTH_SOCK: socketPath } }), timeoutMs);

  test('that holds keys, one that hangs, one that is gone, and none', async () => {
    const good = await agent(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 2]));
    expect(await ask(good.address() as string)).toMatchObject({ ok: true, detail: '2 keys in the agent' });
    const silent = await agent(null);
    expect(await ask(silent.address() as string, 50)).toMatchObject({
      ok: false,
      detail: expect.stringContaining('no answer'),
    });
    expect(await ask(path.join(dir, 'nothing'))).toMatchObject({
      ok: false,
      detail: expect.stringContaining('ENOENT'),
    });
    expect(await ask(undefined)).toMatchObject({ ok: null });
    good.close();
    silent.close();
  });
});

test('the runtime folder', async () => {
  const folder = path.join(dir, 'run');
  expect(await runtimeFolder(folder)).toMatchObject({ ok: null });
  mkdirSync(folder, { mode: 0o700 });
  expect(await runtimeFolder(folder)).toMatchObject({ ok: true });
  expect(await runtimeFolder(folder, 4711)).toMatchObject({ ok: false });
  chmodSync(folder, 0o755);
  expect(await runtimeFolder(folder)).toMatchObject({ ok: false, hint: `chmod 700 ${folder}` });
  writeFileSync(path.join(dir, 'file'), '');
  expect(await runtimeFolder(path.join(dir, 'file'))).toMatchObject({ ok: false });
});

test.each([
  [{ LANG: 'en_US.UTF-8' }, true],
  [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, null],
  [{ LC_CTYPE: 'C.utf8' }, true],
  [{}, null],
])('the locale of %j', (env, ok) => {
  expect(locale(around({}, { env })).ok).toBe(ok);
});

test.each([
  [{ TERM: 'xterm-256color', COLORTERM: 'truecolor' }, true, '16 million'],
  [{ TERM: 'xterm-256color' }, true, '256'],
  [{ TERM: 'linux' }, true, '16'],
  [{ TERM: 'dumb' }, null, 'no colours'],
  [{ TERM: 'xterm', NO_COLOR: '1' }, null, 'NO_COLOR'],
])('the colours of %j', (env, ok, detail) => {
  expect(colours(around({}, { env }))).toMatchObject({ ok, detail: expect.stringContaining(detail) });
});

test('services without a login', async () => {
  const root = `${dir}/root/`;
  expect(await lingering('alice', root)).toMatchObject({ ok: null, detail: expect.stringContaining('no systemd') });
  mkdirSync(`${root}run/systemd/system`, { recursive: true });
  expect(await lingering('alice', root)).toMatchObject({
    ok: null,
    hint: expect.stringContaining('enable-linger alice'),
  });
  mkdirSync(`${root}var/lib/systemd/linger`, { recursive: true });
  writeFileSync(`${root}var/lib/systemd/linger/alice`, '');
  expect(await lingering('alice', root)).toMatchObject({ ok: true });
});

test('all checks of this machine answer, each once, on one line', async () => {
  const found = await checks(dir);
  expect(new Set(found.map((one) => one.check)).size).toBe(14);
  for (const { check, ok, detail, hint } of found) {
    expect(detail, check).not.toMatch(/\n/);
    if (ok === false) expect(hint, check).not.toBe('');
  }
  expect(found.find((one) => one.check === 'node')).toMatchObject({ ok: true });
  expect((await sshClient(around())).ok).toBe(false);
});
