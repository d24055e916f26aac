import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SshOverrides } from '../../src/model/config.ts';
import { planLinks } from '../../src/ssh/plan.ts';
import { hostReport } from '../../src/ssh/report.ts';
import { missing } from '../support/tools.ts';

let dir: string;
let configFile: string;

beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'plan-'));
  configFile = path.join(dir, 'config');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${dir}/ca`]);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${dir}/key`]);
  execFileSync('ssh-keygen', ['-q', '-s', `${dir}/ca`, '-I', 'test', '-n', 'root', `${dir}/key.pub`]);
  writeFileSync(`${dir}/fido.pub`, 'sk-ssh-ed25519@openssh.com AAAA test\n');
  writeFileSync(`${dir}/known`, '@cert-authority *.trusted.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n');
  writeFileSync(
    configFile,
    `
Host inner innermost
  HostName inner.example
  ProxyJump outer
Host outer
  HostName outer.example
  User gate
Host deep
  ProxyJump outer,middle:2200
Host round
  ProxyJump about
Host about
  ProxyJump round
Host cert
  IdentityFile ${dir}/%n
Host fido
  IdentityFile ${dir}/fido
Host pq
  KexAlgorithms sntrup761x25519-sha512@openssh.com
  ProxyJump outer
Host *.trusted.example
  UserKnownHostsFile ${dir}/known
Host *
  IdentityFile ${dir}/plain
`,
  );
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const plan = (dest: string, overrides: SshOverrides = {}, more = {}) =>
  planLinks({ dest, overrides: { configFile, ...overrides } }, more);

describe.skipIf(missing('ssh'))('links', () => {
  test('a direct host is one link, and its spellings share it', async () => {
    const [a] = await plan('gate@outer.example');
    const [b] = await plan('outer');
    const [c] = await plan('ssh://outer:22');
    const [d] = await plan('outer', { compression: true });
    expect(a).toMatchObject({ via: null, carrier: 'ssh2', dest: 'gate@outer.example', args: ['-F', configFile] });
    expect([b?.id, c?.id]).toEqual([a?.id, a?.id]);
    expect(d?.id).not.toBe(a?.id);
  });

  test('hosts behind one jump host share its link', async () => {
    const inner = await plan('inner');
    const [alone] = await plan('outer');
    expect(inner).toHaveLength(2);
    expect(inner[0]).toEqual({ ...alone });
    expect(inner[1]?.via).toBe(alone?.id);
  });

  test('a chain is visited in its order, each hop as ssh would call itself', async () => {
    const chain = await plan('deep', { identities: [`${dir}/ca`], user: 'me' });
    expect(chain.map(({ dest, via, options }) => [dest, via, options.user, options.port])).toEqual([
      ['outer', null, 'gate', '22'],
      ['middle', chain[0]?.id, os.userInfo().username, '2200'],
      ['deep', chain[1]?.id, 'me', '22'],
    ]);
    expect(chain[1]?.args).toEqual(['-F', configFile, '-p', '2200', '-J', 'outer']);
    expect(chain[1]?.options.identityfile).not.toContain(`${dir}/ca`);
  });

  test('-J overrides and none ends a chain', async () => {
    expect((await plan('inner', { jump: 'none' })).map(({ dest }) => dest)).toEqual(['inner']);
    expect((await plan('x', { jump: 'me@a:7,b' })).map(({ dest }) => dest)).toEqual(['a', 'b', 'x']);
  });

  test('a circle is found', async () => {
    await expect(plan('round')).rejects.toMatchObject({
      code: 'host_config',
      message: expect.stringContaining('circle'),
    });
  });

  test('what the embedded client lacks goes to ssh, which makes its own jumps', async () => {
    const links = await plan('pq');
    expect(links).toMatchObject([{ carrier: 'openssh', via: null, dest: 'pq' }]);
  });

  test('a server the embedded client has nothing in common with gets ssh, as destination or as jump host', async () => {
    const [outer, inner] = await plan('inner');
    const over = await plan('inner', {}, { mismatched: [inner?.id ?? ''] });
    expect(over).toMatchObject([{ carrier: 'openssh', via: null, why: expect.stringContaining('no algorithm') }]);
    const behind = await plan('inner', {}, { mismatched: [outer?.id ?? ''] });
    expect(behind).toMatchObject([
      { carrier: 'openssh', dest: 'outer' },
      { carrier: 'ssh2', dest: 'inner', via: behind[0]?.id },
    ]);
    const told = await plan('inner', { options: ['carrier=ssh2'] }, { mismatched: [inner?.id ?? ''] });
    expect(told.at(-1)?.carrier).toBe('ssh2');
  });

  test('ProxyUseFdpass is refused over either carrier', async () => {
    const options = ['ProxyUseFdpass=yes', 'ProxyCommand=nc -F %h %p'];
    for (const carrier of ['ssh2', 'openssh']) {
      await expect(plan('outer', { options: [...options, `carrier=${carrier}`] })).rejects.toMatchObject({
        code: 'unsupported',
      });
    }
    expect(await plan('outer', { options: ['ProxyUseFdpass=yes'] })).toHaveLength(1);
  });

  test('the report says which carrier and why', async () => {
    const why = async (dest: string, options: string[] = []) => {
      const report = await hostReport({ dest, overrides: { configFile, options } });
      return `${report.carrier}: ${report.why}`;
    };
    writeFileSync(`${dir}/cert`, '');
    execFileSync('cp', [`${dir}/key-cert.pub`, `${dir}/cert-cert.pub`]);
    expect(await why('cert')).toBe(`openssh: user certificate ${dir}/%n-cert.pub`);
    expect(await why('fido')).toBe(`openssh: FIDO key ${dir}/fido`);
    expect(await why('a.trusted.example')).toMatch(/^openssh: .*authority/);
    expect(await why('trusted.example')).toMatch(/^ssh2/);
    expect(await why('outer', ['carrier=openssh'])).toBe('openssh: the option carrier=openssh says so');
    expect(await why('fido', ['carrier=ssh2'])).toMatch(/^ssh2/);
    await expect(why('outer', ['carrier=telnet'])).rejects.toMatchObject({ code: 'bad_value' });
  });

  test('without ssh a host that needs it is refused', async () => {
    const env = { home: dir, ssh: null };
    await expect(plan('fido', {}, { env })).rejects.toMatchObject({ code: 'carrier_missing' });
    expect((await plan('inner', {}, { env })).map(({ dest }) => dest)).toEqual(['outer', 'inner']);
  });
});
