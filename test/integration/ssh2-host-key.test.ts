import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createSsh2Link } from '../../src/dataplane/carriers/ssh2/index.ts';
import type { ResolvedOptions } from '../../src/model/host.ts';
import { linkSpec, sshdOptions, TestLink } from '../support/link.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;
const open: TestLink[] = [];

function connect(options: ResolvedOptions): TestLink {
  const test = new TestLink(createSsh2Link, linkSpec(options));
  open.push(test);
  return test;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ link }) => link.stop()));
});

describe.skipIf(missing('sshd', 'ssh'))('host keys, against OpenSSH', () => {
  let sshd: Sshd;
  let print: string;
  let keys: string;
  let n = 0;
  /** A known_hosts path of its own for each test. */
  const fresh = () => path.join(sshd.dir, `kh${++n}`, 'known_hosts');
  const unknown = (file: string, more: ResolvedOptions = {}) =>
    sshdOptions(sshd, { userknownhostsfile: file, stricthostkeychecking: 'ask', ...more });
  const sshAccepts = (file: string) =>
    execFileSync(
      'ssh',
      ['-F', sshd.clientConfig, '-o', `UserKnownHostsFile=${file}`, '-o', 'StrictHostKeyChecking=yes', 'box', 'true'],
      { stdio: 'pipe' },
    );

  beforeAll(async () => {
    keys = mkdtempSync(path.join(os.tmpdir(), 'host-keys-'));
    const rsa = path.join(keys, 'rsa');
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-f', rsa]);
    sshd = await Sshd.start({ config: [`HostKey ${rsa}`] });
    print = execFileSync('ssh-keygen', ['-lf', `${sshd.hostKey}.pub`], { encoding: 'utf8' }).split(' ')[1] as string;
  });
  afterAll(async () => {
    await sshd?.stop();
    rmSync(keys, { recursive: true, force: true });
  });

  test('unknown with yes: failed, with the fingerprint ssh-keygen shows', async () => {
    const test = connect(unknown(fresh(), { stricthostkeychecking: 'true' }));
    await expect(test.link.ready(never)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining(print),
      hint: expect.stringContaining('ssh-keyscan'),
    });
  });

  test('unknown with ask: waits with the fingerprint; yes writes it as ssh would', async () => {
    const file = fresh();
    const test = connect(unknown(file, { hashknownhosts: 'yes' }));
    const prompt = await test.prompted(1);
    expect(prompt).toMatchObject({ kind: 'host_key', fingerprint: print, keyType: 'ssh-ed25519', fields: [] });
    expect(await test.reached('waiting')).toMatchObject({
      error: { code: 'host_key_unknown', message: expect.stringContaining(print) },
    });
    expect(existsSync(file)).toBe(false);
    test.link.answer(prompt.id, { hostKey: 'maybe' });
    test.link.answer((await test.prompted(2)).id, { hostKey: 'yes' });
    await test.link.ready(never);
    expect(readFileSync(file, 'utf8')).toMatch(/^\|1\|\S+ ssh-ed25519 \S+\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
    sshAccepts(file);
    const again = connect(unknown(file));
    await again.link.ready(never);
    expect(again.prompts).toEqual([]);
  });

  test('the fingerprint typed in full is a yes; no is a no, for good', async () => {
    const file = fresh();
    const refused = connect(unknown(file));
    refused.link.answer((await refused.prompted(1)).id, { hostKey: 'no' });
    await expect(refused.link.ready(never)).rejects.toMatchObject({ code: 'host_key_unknown' });
    expect(existsSync(file)).toBe(false);
    const test = connect(unknown(file));
    test.link.answer((await test.prompted(1)).id, { hostKey: print });
    await test.link.ready(never);
    expect(readFileSync(file, 'utf8')).toContain(`[127.0.0.1]:${sshd.port} ssh-ed25519 `);
  });

  test('accept-new and no take it unasked; a line without its end stays whole', async () => {
    const file = path.join(sshd.dir, 'half');
    writeFileSync(file, 'other ssh-ed25519 AAAA');
    await connect(unknown(file, { stricthostkeychecking: 'accept-new' })).link.ready(never);
    expect(readFileSync(file, 'utf8').split('\n')).toEqual([
      'other ssh-ed25519 AAAA',
      expect.stringContaining('[127.0.0.1]'),
      '',
    ]);
    await connect(unknown(fresh(), { stricthostkeychecking: 'false' })).link.ready(never);
  });

  test('where no file takes it, an accepted key lasts as long as the link', async () => {
    const test = connect(unknown('/dev/null'));
    test.link.answer((await test.prompted(1)).id, { hostKey: 'yes' });
    await test.link.ready(never);
    test.release();
    test.link.hold();
    await test.link.ready(never);
    expect(test.prompts).toHaveLength(1);
  });

  test('a known rsa key is asked for although ed25519 is liked better', async () => {
    const file = path.join(sshd.dir, 'rsa-only');
    const scanned = execFileSync('ssh-keyscan', ['-t', 'rsa', '-p', String(sshd.port), '127.0.0.1'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    writeFileSync(file, scanned);
    await connect(unknown(file, { stricthostkeychecking: 'yes' })).link.ready(never);
  });

  test('an alias, and a host known from port 22', async () => {
    const [type, key] = readFileSync(`${sshd.hostKey}.pub`, 'utf8').split(' ');
    const file = path.join(sshd.dir, 'aliases');
    writeFileSync(file, `the-alias ${type} ${key}\n`);
    await connect(unknown(file, { stricthostkeychecking: 'yes', hostkeyalias: 'the-alias' })).link.ready(never);
    writeFileSync(file, `127.0.0.1 ${type} ${key}\n`);
    await connect(unknown(file, { stricthostkeychecking: 'yes' })).link.ready(never);
  });

  test('revoked is refused, even with no checking', async () => {
    const [type, key] = readFileSync(`${sshd.hostKey}.pub`, 'utf8').split(' ');
    const file = path.join(sshd.dir, 'revoked');
    writeFileSync(file, `@revoked * ${type} ${key}\n`);
    const test = connect(unknown(file, { stricthostkeychecking: 'no' }));
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'host_key_revoked' });
  });

  test('this machine needs no key where the configuration says so', async () => {
    await connect(
      unknown(fresh(), { stricthostkeychecking: 'yes', nohostauthenticationforlocalhost: 'yes' }),
    ).link.ready(never);
  });

  test('UpdateHostKeys learns the other keys, of a host known before only', async () => {
    const file = path.join(sshd.dir, 'update');
    const [type, key] = readFileSync(`${sshd.hostKey}.pub`, 'utf8').split(' ');
    writeFileSync(file, `# kept\n[127.0.0.1]:${sshd.port} ${type} ${key}\n`, { mode: 0o640 });
    const test = connect(unknown(file, { updatehostkeys: 'true' }));
    await test.link.ready(never);
    await until('the rsa key to be learned', () => / ssh-rsa /.test(readFileSync(file, 'utf8')));
    expect(readFileSync(file, 'utf8')).toContain(`# kept\n[127.0.0.1]:${sshd.port} ${type} ${key}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test('CheckHostIP: the address is written beside the name, and one that differs stops it', async () => {
    const file = fresh();
    const named = { hostname: 'localhost', addressfamily: 'inet', checkhostip: 'yes' };
    const test = connect(unknown(file, { ...named, stricthostkeychecking: 'accept-new' }));
    await test.link.ready(never);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual([`[localhost]:${sshd.port}`, `[127.0.0.1]:${sshd.port}`]);
    const other = path.join(sshd.dir, 'other-key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    const [type, key] = readFileSync(`${other}.pub`, 'utf8').split(' ');
    writeFileSync(file, `${lines[0]}\n[127.0.0.1]:${sshd.port} ${type} ${key}\n`);
    await expect(connect(unknown(file, named)).link.ready(never)).rejects.toMatchObject({ code: 'host_key_changed' });
  });
});
