import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SshOverrides } from '../../src/model/config.ts';
import { SallyportError } from '../../src/model/errors.ts';
import { hostReport } from '../../src/ssh/report.ts';
import { sshArgs } from '../../src/ssh/request.ts';
import { parseResolved, resolveHost } from '../../src/ssh/resolve.ts';
import { findTool, missing } from '../support/tools.ts';

const fixtures = path.join(import.meta.dirname, '..', 'fixtures', 'ssh-config');
const home = os.userInfo().homedir;
let included: string;

beforeAll(() => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'ssh-include-'));
  included = path.join(dir, 'main.conf');
  writeFileSync(path.join(dir, 'a.inc'), 'Host inc\n  User from-a\nHost *\n  Port 2401\n');
  writeFileSync(path.join(dir, 'b.inc'), 'Port 2402\nHost deep\n  HostName deep.example.com\n');
  writeFileSync(path.join(dir, 'scoped.conf'), 'User scoped\nHost other\n  User never\n');
  writeFileSync(
    included,
    [
      'Host scope',
      `  Include ${dir}/scoped.conf`,
      '  ConnectTimeout 7',
      'Host *',
      `Include ${dir}/*.inc`,
      `Include ${dir}/missing-*.inc "${dir}/b.inc"`,
      'Host late',
      '  User late',
      '',
    ].join('\n'),
  );
});
afterAll(() => rmSync(path.dirname(included), { recursive: true, force: true }));

/** file, destination, command-line options; `refused`: what the library alone must refuse, by this word. */
type Query = readonly [file: string, dest: string, overrides?: SshOverrides, refused?: string];

const queries: readonly Query[] = [
  ['basics', 'web'],
  ['basics', 'WEB'],
  ['basics', 'other@web'],
  ['basics', 'ssh://web'],
  ['basics', 'ssh://carol@web:99'],
  ['basics', 'WEB2'],
  ['basics', 'many'],
  ['basics', 'many', { identities: ['/etc/hostname', '/nowhere/key'] }],
  ['basics', 'times'],
  ['basics', 'strict-x'],
  ['basics', 'strict-no'],
  ['basics', 'off'],
  ['basics', 'auth'],
  ['basics', 'algorithms'],
  ['basics', 'algorithms-plus', {}, 'Ciphers'],
  ['basics', 'addresses'],
  ['basics', 'forwards'],
  ['basics', 'session'],
  ['basics', '10.0.0.7'],
  ['basics', '10.0.0.77'],
  ['basics', '10.1.2.3'],
  ['basics', '::1'],
  ['basics', 'user@::1'],
  ['basics', 'a@b@web'],
  ['basics', 'web', { user: 'me', port: 7 }],
  ['basics', 'them@web', { user: 'me' }],
  ['basics', 'web', { compression: true, options: ['ServerAliveInterval=3', 'User=late'] }],
  ['basics', 'web', { options: ['HostName=elsewhere', 'Port 70', 'carrier=ssh2'] }],
  ['basics', 'web', { options: ['UserKnownHostsFile=none', 'GlobalKnownHostsFile=/a /b'] }],
  ['basics', 'web', { options: ['Bogus=1'] }, 'Bogus'],
  ['basics', 'web', { options: ['Port=99999'] }, undefined],
  ['match', 'alias'],
  ['match', 'bob@alias'],
  ['match', 'other'],
  ['match', 'real.example.com'],
  ['match', 'REAL.example.com'],
  ['match', 'bob@x'],
  ['match', 'dave@x'],
  ['match', 'root@quoted.example.com'],
  ['match', 'mixed.example.com'],
  ['match', 'later'],
  ['match', 'late.example.com'],
  ['match', 'alias', { user: 'bob' }],
  ['match', 'alias', { options: ['HostName=real.example.com'] }],
  ['exec', 'run', {}, 'exec'],
  ['exec', 'never', {}, 'exec'],
  ['exec', 'plain'],
  ['negated', 'www.example.com'],
  ['negated', 'secret.example.com'],
  ['negated', 'vault.example.com'],
  ['negated', 'known'],
  ['negated', 'lonely'],
  ['negated', 'abc'],
  ['negated', 'abbc'],
  ['tokens', 'short'],
  ['tokens', 'percent'],
  ['tokens', 'keys'],
  ['tokens', 'known', {}, 'UserKnownHostsFile'],
  ['tokens', 'agent', {}, 'IdentityAgent'],
  ['tokens', 'proxied'],
  ['tokens', 'proxied-quoted'],
  ['tokens', 'proxied-none'],
  ['tokens', 'UPPER'],
  ['jumps', 'inner'],
  ['jumps', 'deep'],
  ['jumps', 'uri'],
  ['jumps', 'six'],
  ['jumps', 'free'],
  ['jumps', 'both'],
  ['jumps', 'command-first'],
  ['jumps', 'self', {}, 'loop'],
  ['jumps', 'outer'],
  ['jumps', 'else', { jump: 'a,b@c:3' }],
  ['jumps', 'else', { jump: 'none' }],
  ['jumps', 'else', { options: ['ProxyJump=outer'] }],
  ['quoting', 'equals'],
  ['quoting', 'comment', {}, 'IdentityFile'],
  ['quoting', 'single', {}, 'IdentityFile'],
  ['quoting', 'escaped', {}, 'IdentityFile'],
  ['quoting', 'plain'],
  ['unknown', 'ignored', {}, 'FancyOption'],
  ['broken', 'broken', {}, 'Port'],
  ['unknown', 'canonical'],
  ['unknown', 'verify', {}, 'KnownHostsCommand'],
  ['unknown', 'token'],
  ['include', 'inc'],
  ['include', 'deep'],
  ['include', 'scope'],
  ['include', 'other'],
  ['include', 'late'],
  ['none', 'anything'],
  ['none', 'me@anything', { port: 8 }],
  ['', 'anything'],
  ['missing', 'anything', {}, 'missing'],
];

function withFile([file, dest, overrides = {}]: Query): { dest: string; overrides: SshOverrides } {
  if (file === '') return { dest, overrides };
  const named = file === 'include' ? included : file === 'none' ? 'none' : path.join(fixtures, `${file}.conf`);
  return { dest, overrides: { ...overrides, configFile: named } };
}

/** What the real program says: its options, or null where it refuses. */
function asked(request: { dest: string; overrides: SshOverrides }): Record<string, string | string[]> | null {
  try {
    const args = ['-G', ...sshArgs(request.overrides), '--', request.dest];
    return parseResolved(execFileSync('ssh', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return null;
  }
}

/** `ssh -G` prints a LocalForward to a socket a second time, as a DynamicForward that is not there. */
function withoutEchoes(printed: ReturnType<typeof asked>): typeof printed {
  const { localforward = [], dynamicforward = [], ...rest } = printed ?? {};
  if (printed === null || dynamicforward.length === 0) return printed;
  const toSockets = [localforward].flat().flatMap((line) => (/ \//.test(line) ? [line.split(' ')[0]] : []));
  const real = [dynamicforward].flat().filter((line) => !toSockets.includes(line));
  return {
    ...rest,
    ...(localforward.length > 0 && { localforward }),
    ...(real.length > 0 && { dynamicforward: real }),
  };
}

const label = ([file, dest, overrides]: Query) =>
  `${file || 'system'}: ${dest} ${overrides ? JSON.stringify(overrides) : ''}`;

describe.skipIf(missing('ssh'))('a corpus of ssh_config files', () => {
  test.each(queries.map((query) => [label(query), query] as const))('report of %s', async (_, query) => {
    const request = withFile(query);
    const expected = asked(request);
    const report = hostReport(request, { home, ssh: findTool('ssh') });
    if (expected === null) {
      await expect(report).rejects.toMatchObject({ code: 'host_config' });
      return;
    }
    const { carrier, why, ...options } = await report;
    expect(options).toEqual(expected);
    expect(carrier).toMatch(/^(ssh2|openssh)$/);
    expect(why).not.toBe('');
  });

  test.each(queries.map((query) => [label(query), query] as const))('without ssh: %s', async (_, query) => {
    const request = withFile(query);
    const expected = withoutEchoes(asked(request));
    const refused = query[3];
    const resolved = await resolveHost(request, { home, ssh: null }).catch((error: unknown) => error);
    if (expected === null || refused !== undefined) {
      expect(resolved).toBeInstanceOf(SallyportError);
      expect((resolved as SallyportError).code).toBe('host_config');
      if (refused !== undefined) expect((resolved as SallyportError).message).toContain(refused);
      return;
    }
    if (resolved instanceof Error) throw resolved;
    const options = resolved as Record<string, unknown>;
    expect(Object.keys(options)).toEqual(expect.arrayContaining(['hostname', 'user', 'port', 'identityfile']));
    expect(options).toEqual(Object.fromEntries(Object.keys(options).map((name) => [name, expected[name]])));
    for (const name of [
      'proxyjump',
      'proxycommand',
      'localforward',
      'remoteforward',
      'dynamicforward',
      'certificatefile',
    ]) {
      expect(options[name], name).toEqual(expected[name]);
    }
  });
});

test.each(['-oProxyCommand=x', '', 'a\nb'])('a destination like %j never reaches ssh', async (dest) => {
  await expect(resolveHost({ dest, overrides: {} })).rejects.toMatchObject({ code: 'host_config' });
  await expect(hostReport({ dest, overrides: {} })).rejects.toMatchObject({ code: 'host_config' });
});

test('brackets around a bare IPv6 address are dropped', async () => {
  const options = await resolveHost({ dest: 'me@[2001:db8::1]', overrides: { configFile: 'none' } });
  expect(options).toMatchObject({ hostname: '2001:db8::1', user: 'me' });
});

test("ssh's own words are the message", async () => {
  const overrides = { configFile: 'none', options: ['Ciphers=bogus'] };
  await expect(resolveHost({ dest: 'x', overrides })).rejects.toMatchObject({
    message: expect.stringContaining("Bad SSH2 cipher spec 'bogus'"),
  });
});

test('an aborted signal ends the wait', async () => {
  const config = path.join(path.dirname(included), 'slow.conf');
  writeFileSync(config, 'Match exec "sleep 60"\n  Port 1\n');
  const abort = new AbortController();
  const pending = resolveHost({ dest: 'x', overrides: { configFile: config } }, undefined, abort.signal);
  abort.abort(new Error('enough'));
  await expect(pending).rejects.toThrow('enough');
});
