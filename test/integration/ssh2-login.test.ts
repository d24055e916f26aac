import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type AuthContext, type Connection, Server } from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ssh2LinkFactory } from '../../src/dataplane/carriers/ssh2/index.ts';
import { Secrets } from '../../src/dataplane/carriers/ssh2/secrets.ts';
import type { ResolvedOptions } from '../../src/model/host.ts';
import { linkSpec, sshdOptions, TestLink } from '../support/link.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;
const open: TestLink[] = [];
let dir: string;

function connect(options: ResolvedOptions, secrets = new Secrets(), args: string[] = []): TestLink {
  const test = new TestLink(ssh2LinkFactory(secrets), linkSpec(options, { args }));
  open.push(test);
  return test;
}

const typed = (answer: string, remember: 'once' | 'engine' = 'once') => ({ answers: [answer], remember });

function makeKey(name: string, ...args: string[]): string {
  const file = path.join(dir, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, ...args, '-f', file]);
  return file;
}

beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'login-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ link }) => link.stop()));
});

describe.skipIf(missing('sshd', 'ssh'))('keys, against OpenSSH', () => {
  let sshd: Sshd;
  const authorize = (...files: string[]) =>
    writeFileSync(path.join(sshd.dir, 'authorized_keys'), files.map((file) => readFileSync(`${file}.pub`)).join(''));

  beforeAll(async () => {
    sshd = await Sshd.start();
  });
  afterAll(() => sshd?.stop());
  afterEach(() => authorize(sshd.key));

  test('an encrypted key asks for its passphrase only if the server wants the key', async () => {
    const file = makeKey('locked', '-N', 'open sesame');
    const refused = connect(sshdOptions(sshd, { identityfile: [file] }));
    await expect(refused.link.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
    expect(refused.prompts).toEqual([]);

    authorize(file);
    const test = connect(sshdOptions(sshd, { identityfile: [file] }));
    const first = await test.prompted(1);
    expect(first).toMatchObject({ kind: 'passphrase', title: expect.stringContaining(file) });
    expect(first.fields).toEqual([{ label: 'passphrase', echo: false }]);
    expect(await test.reached('waiting')).toMatchObject({ prompt: first.id, error: { code: 'passphrase_needed' } });
    test.link.answer(first.id, typed('wrong'));
    const second = await test.prompted(2);
    expect(second.title).toContain('wrong passphrase');
    test.link.answer(first.id, typed('answered already'));
    test.link.answer(second.id, typed('open sesame'));
    await test.link.ready(never);
    expect(test.gone).toEqual([first.id, second.id]);
    expect(JSON.stringify([test.statuses, test.notes])).not.toContain('sesame');
  });

  test('a link given up while a passphrase is asked for says nothing of the key', async () => {
    const file = makeKey('left', '-N', 'open sesame');
    authorize(file);
    const test = connect(sshdOptions(sshd, { identityfile: [file] }));
    const prompt = await test.prompted(1);
    test.release();
    await until('the prompt to go', () => test.gone.includes(prompt.id));
    await test.link.stop();
    expect(test.notes).toEqual([]);
  });

  test('three wrong passphrases fail it for good; retry asks again', async () => {
    const file = makeKey('locked-rsa', '-t', 'rsa', '-m', 'PEM', '-N', 'open sesame');
    authorize(file);
    const test = connect(sshdOptions(sshd, { identityfile: [file] }));
    for (let n = 1; n <= 3; n++) test.link.answer((await test.prompted(n)).id, typed(`wrong ${n}`));
    await expect(test.link.ready(never)).rejects.toMatchObject({
      code: 'auth_denied',
      message: expect.stringContaining('wrong passphrase'),
    });
    test.link.retry();
    test.link.answer((await test.prompted(4)).id, typed('open sesame'));
    await test.link.ready(never);
  });

  test('a passphrase kept until the engine stops serves a reconnect and another host, one for this time does not', async () => {
    const own = await Sshd.start();
    const file = makeKey('kept', '-N', 'x1');
    writeFileSync(path.join(own.dir, 'authorized_keys'), readFileSync(`${file}.pub`));
    authorize(file);
    const secrets = new Secrets();
    const test = connect(sshdOptions(own, { identityfile: [file] }), secrets);
    test.link.answer((await test.prompted(1)).id, typed('x1', 'engine'));
    await test.link.ready(never);
    await own.kill();
    await own.run();
    await until('it to come back', () => test.words.filter((word) => word === 'up').length === 2);
    expect(test.prompts).toHaveLength(1);
    const elsewhere = connect(sshdOptions(sshd, { identityfile: [file] }), secrets);
    await elsewhere.link.ready(never);
    expect(elsewhere.prompts).toEqual([]);

    const once = connect(sshdOptions(own, { identityfile: [file] }));
    once.link.answer((await once.prompted(1)).id, typed('x1', 'once'));
    await once.link.ready(never);
    await own.kill();
    await own.run();
    await once.prompted(2);
    await own.stop();
  });

  test('the connection dying under a prompt leaves it waiting, and the answer still serves', async () => {
    const own = await Sshd.start();
    const file = makeKey('slow', '-N', 'x1');
    writeFileSync(path.join(own.dir, 'authorized_keys'), readFileSync(`${file}.pub`));
    const test = connect(sshdOptions(own, { identityfile: [file] }));
    const prompt = await test.prompted(1);
    await own.kill();
    await own.run();
    expect(test.status.is).toBe('waiting');
    test.link.answer(prompt.id, typed('x1'));
    await test.link.ready(never);
    expect(test.prompts).toHaveLength(1);
    await own.stop();
  });

  test('no answer after the connection died is a no, and a wrong one is asked again', async () => {
    const own = await Sshd.start();
    const file = makeKey('slow-no', '-N', 'x1');
    writeFileSync(path.join(own.dir, 'authorized_keys'), readFileSync(`${file}.pub`));
    const test = connect(sshdOptions(own, { identityfile: [file] }));
    const prompt = await test.prompted(1);
    await own.kill();
    await own.run();
    test.link.answer(prompt.id, typed('wrong'));
    const again = await test.prompted(2);
    expect(again.title).toContain('wrong passphrase');
    test.link.answer(again.id, { answers: [], remember: 'once' });
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
    expect(test.prompts).toHaveLength(2);
    await own.stop();
  });

  test('BatchMode never asks', async () => {
    const file = makeKey('batch', '-N', 'x1');
    authorize(file);
    const test = connect(sshdOptions(sshd, { identityfile: [file], batchmode: 'yes' }));
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
    expect(test.prompts).toEqual([]);
  });

  test('a key that others can read is refused with the command that mends it', async () => {
    const file = path.join(dir, 'loose');
    copyFileSync(sshd.key, file);
    chmodSync(file, 0o644);
    const test = connect(sshdOptions(sshd, { identityfile: [file] }));
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'key_unreadable', hint: `chmod 600 ${file}` });
    expect(test.words).toEqual(['connecting', 'failed']);
  });

  test('what is no key is passed over with a note; what is not there is told if nothing else works', async () => {
    const file = path.join(dir, 'prose');
    writeFileSync(file, 'Dear diary', { mode: 0o600 });
    const test = connect(sshdOptions(sshd, { identityfile: [file, path.join(dir, 'absent'), sshd.key] }));
    await test.link.ready(never);
    expect(test.notes).toContainEqual(expect.objectContaining({ code: 'key_unreadable' }));
    const none = connect(sshdOptions(sshd, { identityfile: [path.join(dir, 'absent')] }));
    await expect(none.link.ready(never)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('does not exist'),
    });
    // ssh -G leaves out a file given with -i that is not there.
    const mistyped = connect(sshdOptions(sshd, { identityfile: [] }), undefined, ['-i', path.join(dir, 'mistyped')]);
    await expect(mistyped.link.ready(never)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringContaining('mistyped does not exist'),
    });
  });

  test.each([
    ['rsa in PEM', ['-t', 'rsa', '-m', 'PEM']],
    ['ecdsa in PKCS #8', ['-t', 'ecdsa', '-m', 'PKCS8']],
    ['encrypted rsa in PKCS #8', ['-t', 'rsa', '-m', 'PKCS8', '-N', 'x1x1x']],
    ['ecdsa 521', ['-t', 'ecdsa', '-b', '521']],
  ])('the format %s', async (name, args) => {
    const file = makeKey(name.replace(/\W/g, ''), ...args);
    authorize(file);
    const test = connect(sshdOptions(sshd, { identityfile: [file] }));
    if (args.includes('-N')) test.link.answer((await test.prompted(1)).id, typed('x1x1x'));
    await test.link.ready(never);
  });

  test('too many keys: denied once, with what to do', async () => {
    const strict = await Sshd.start({ config: ['MaxAuthTries 2'], authorized: false });
    const files = [1, 2, 3, 4].map((n) => makeKey(`many${n}`));
    const test = connect(sshdOptions(strict, { identityfile: files }));
    await expect(test.link.ready(never)).rejects.toMatchObject({
      code: 'auth_denied',
      hint: expect.stringContaining('IdentitiesOnly'),
    });
    expect(test.words).toEqual(['connecting', 'failed']);
    await strict.stop();
  });

  describe('with an agent', () => {
    let agent: ChildProcess;
    let socket: string;
    const add = (...files: string[]) =>
      execFileSync('ssh-add', ['-q', ...files], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
    beforeAll(async () => {
      socket = path.join(dir, 'agent.sock');
      agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
      await until('the agent', () => existsSync(socket));
    });
    afterAll(() => {
      agent?.kill();
    });

    test('its keys are tried, the listed one first, and none but listed with IdentitiesOnly', async () => {
      const [one, two] = [makeKey('agent-one'), makeKey('agent-two')];
      add(one, two);
      authorize(two);
      rmSync(two);
      const withAgent = { identityagent: socket, identitiesonly: 'no' };
      await connect(sshdOptions(sshd, { ...withAgent, identityfile: [] })).link.ready(never);
      sshd.log = '';
      await connect(sshdOptions(sshd, { ...withAgent, identityfile: [`${two}.pub`] })).link.ready(never);
      await until('the log', () => /Accepted publickey/.test(sshd.log));
      expect(sshd.log).not.toMatch(/Failed publickey/);
      const only = connect(sshdOptions(sshd, { identityagent: socket, identityfile: [one] }));
      await expect(only.link.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
    });

    test('an rsa key in it signs with SHA-2', async () => {
      const file = makeKey('agent-rsa', '-t', 'rsa');
      add(file);
      authorize(file);
      rmSync(file);
      await connect(sshdOptions(sshd, { identityagent: socket, identityfile: [`${file}.pub`] })).link.ready(never);
    });

    test('one that hangs is given up after five seconds, and the file still works', async () => {
      const silent = net.createServer(() => {});
      const hung = path.join(dir, 'hung.sock');
      await new Promise<void>((resolve) => silent.listen(hung, resolve));
      const test = connect(sshdOptions(sshd, { identityagent: hung }));
      const alone = connect(sshdOptions(sshd, { identityagent: hung, identityfile: [] }));
      await test.link.ready(never);
      expect(test.notes).toContainEqual(expect.objectContaining({ code: 'agent_unreachable' }));
      await until('the agent to be blamed', () =>
        alone.statuses.some((status) => status.is === 'retrying' && status.error.code === 'agent_unreachable'),
      );
      await alone.link.stop();
      silent.close();
    });
  });
});

describe('passwords and questions', () => {
  let server: Server;
  let port: number;
  let known: string;
  let tries: string[];
  const connections = new Set<Connection>();
  let decide: (context: AuthContext) => void;

  beforeAll(async () => {
    const hostKey = makeKey('host');
    known = path.join(dir, 'known');
    server = new Server({ hostKeys: [readFileSync(hostKey)] }, (connection) => {
      connections.add(connection);
      connection.on('error', () => {});
      connection.on('close', () => connections.delete(connection));
      connection.on('authentication', (context) => {
        tries.push(context.method);
        decide(context);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as net.AddressInfo).port;
    const [type, key] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ');
    writeFileSync(known, `[127.0.0.1]:${port} ${type} ${key}\n`);
  });
  afterAll(() => {
    server?.close();
  });

  const options = (more: ResolvedOptions = {}): ResolvedOptions => ({
    hostname: '127.0.0.1',
    port: String(port),
    user: 'ann',
    identityfile: [],
    identityagent: 'none',
    userknownhostsfile: known,
    stricthostkeychecking: 'yes',
    ...more,
  });

  test('a password: asked, asked again when wrong, forgotten or kept as told', async () => {
    tries = [];
    decide = (context) =>
      context.method === 'password' && context.password === 'right' ? context.accept() : context.reject(['password']);
    const test = connect(options());
    const prompt = await test.prompted(1);
    expect(prompt).toMatchObject({ kind: 'password', title: expect.stringContaining('ann') });
    expect((await test.reached('waiting')).error.code).toBe('password_needed');
    test.link.answer(prompt.id, typed('wrong', 'engine'));
    test.link.answer((await test.prompted(2)).id, typed('right', 'engine'));
    await test.link.ready(never);
    expect(tries).toEqual(['none', 'password', 'password']);
    for (const connection of connections) connection.end();
    await until('it to come back', () => test.words.filter((word) => word === 'up').length === 2);
    expect(test.prompts).toHaveLength(2);
  });

  test('wrong as often as allowed: failed, not tried again', async () => {
    tries = [];
    decide = (context) => context.reject(['password']);
    const test = connect(options({ numberofpasswordprompts: '2' }));
    test.link.answer((await test.prompted(1)).id, typed('a'));
    test.link.answer((await test.prompted(2)).id, typed('b'));
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
    expect(tries).toEqual(['none', 'password', 'password']);
  });

  test('a question shows what the server asks, without its control characters', async () => {
    tries = [];
    decide = (context) => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
      context.prompt(
        [
          { prompt: 'Code\x1b[31m: ', echo: true },
          { prompt: 'PIN: ', echo: false },
        ],
        'Bank\x07',
        'two\nlines',
        (answers) => (answers.join() === '123,456' ? context.accept() : context.reject(['keyboard-interactive'])),
      );
    };
    const test = connect(options());
    const prompt = await test.prompted(1);
    expect(prompt.kind).toBe('question');
    expect(prompt.instructions).toBe('Bank: two lines');
    expect(prompt.fields).toEqual([
      { label: 'Code:', echo: true },
      { label: 'PIN:', echo: false },
    ]);
    expect((await test.reached('waiting')).error.code).toBe('code_needed');
    test.link.answer(prompt.id, { answers: ['123', '456'], remember: 'once' });
    await test.link.ready(never);
  });

  test('first a question, then a password, where the server wants both', async () => {
    tries = [];
    decide = (context) => {
      if (context.method === 'password') context.accept();
      else if (context.method !== 'keyboard-interactive') context.reject(['keyboard-interactive']);
      else context.prompt('Code: ', () => context.reject(['password'], true));
    };
    const test = connect(options());
    test.link.answer((await test.prompted(1)).id, typed('1'));
    test.link.answer((await test.prompted(2)).id, typed('2'));
    await test.link.ready(never);
    expect(tries).toEqual(['none', 'keyboard-interactive', 'password']);
  });

  test('PreferredAuthentications and the switches decide what is tried', async () => {
    tries = [];
    decide = (context) => context.reject(['password', 'keyboard-interactive', 'publickey']);
    const test = connect(options({ passwordauthentication: 'no', preferredauthentications: 'password,publickey' }));
    await expect(test.link.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
    expect(tries).toEqual(['none']);
    expect(test.prompts).toEqual([]);
  });

  test('SSH_ASKPASS is asked instead of a person when it is forced', async () => {
    const program = path.join(dir, 'askpass');
    writeFileSync(program, '#!/bin/sh\nprintf "%s" "$1" > "$0.asked"\necho right\n', { mode: 0o755 });
    process.env.SSH_ASKPASS = program;
    process.env.SSH_ASKPASS_REQUIRE = 'force';
    try {
      tries = [];
      decide = (context) =>
        context.method === 'password' && context.password === 'right' ? context.accept() : context.reject(['password']);
      const test = connect(options());
      await test.link.ready(never);
      expect(test.prompts).toEqual([]);
      expect(readFileSync(`${program}.asked`, 'utf8')).toContain('password of ann');
    } finally {
      delete process.env.SSH_ASKPASS;
      delete process.env.SSH_ASKPASS_REQUIRE;
    }
  });

  test('who leaves takes the prompt along', async () => {
    tries = [];
    decide = (context) => context.reject(['password']);
    const test = connect(options());
    const prompt = await test.prompted(1);
    test.release();
    await until('the prompt to go', () => test.gone.includes(prompt.id));
    expect(test.status.is).toBe('idle');
  });
});
