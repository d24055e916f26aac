// Whatever ssh would do: the built program against real servers, keys, prompts and jumps.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import type { Prompt, PromptAnswer } from '../../src/model/host.ts';
import type { ForwardView, LinkEntry } from '../../src/model/snapshot.ts';
import { startDropbear } from '../support/dropbear.ts';
import { freePort } from '../support/ports.ts';
import { type ProgramHome, program, programHome } from '../support/program.ts';
import { type BigFile, fetched, serveBigFile, serveTcp } from '../support/ssh-lab.ts';
import { Sshd, type SshdOptions } from '../support/sshd.ts';
import { openTerminal } from '../support/terminal.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const needsRoot = process.getuid?.() !== 0 && 'needs root';

describe.skipIf(missing('sshd', 'ssh', 'curl'))('whatever ssh would do', () => {
  let home: ProgramHome;
  let dir: string;
  let web: BigFile;
  let main: Sshd;
  let client: Client;
  const stops: (() => unknown)[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'ssh-e2e-'));
    execFileSync('mkdir', ['-m', '700', path.join(dir, 'run')]);
    home = programHome({ XDG_RUNTIME_DIR: path.join(dir, 'run') });
    [web, main] = await Promise.all([serveBigFile(), Sshd.start()]);
    if (needsRoot) await home.run(['engine', 'start']);
    else {
      // A name with addresses of both families, for the engine alone.
      writeFileSync(path.join(dir, 'hosts'), '127.0.0.1 localhost both\n::1 both\n');
      const command = 'mount --bind "$0" /etc/hosts && exec "$1" engine start';
      const words = ['-m', 'sh', '-c', command, path.join(dir, 'hosts'), program];
      execFileSync('unshare', words, { env: home.env, stdio: 'ignore' });
    }
    client = await home.connect();
  });
  afterAll(async () => {
    client?.close();
    await home?.remove();
    web?.close();
    await main?.stop();
    for (const stop of stops) await stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const server = async (options?: SshdOptions) => {
    const sshd = await Sshd.start(options);
    stops.push(() => sshd.stop());
    await until('its first visitor, ourselves, to be logged', () => connections(sshd) === 1);
    return sshd;
  };
  const keygen = (...words: string[]) => execFileSync('ssh-keygen', ['-q', ...words], { encoding: 'utf8' });
  const view = async (name: string) => (await client.call('show', { name })).view;
  const reached = (name: string, state: ForwardView['state'], timeoutMs = 15_000) =>
    until(
      `${name} ${state}`,
      async () => {
        const now = await view(name);
        if (now.state !== state) throw new Error(`${now.state}: ${now.error?.code} ${now.error?.message}`);
        return now;
      },
      { timeoutMs },
    );
  const add = (name: string, ...words: string[]) => home.run(['add', name, 'box', ...words, '--up', '--json']);
  /** A forward that comes up at once. */
  const up = async (name: string, ...words: string[]): Promise<ForwardView> => {
    const { code, stdout, stderr } = await add(name, ...words);
    expect([code, stderr], name).toEqual([0, '']);
    return ([JSON.parse(stdout)].flat() as ForwardView[])[0] as ForwardView;
  };
  const port = (shown: ForwardView) => Number(/:(\d+)$/.exec(shown.listen)?.[1]);
  const toWeb = () => ['-L', `127.0.0.1:0:127.0.0.1:${web.port}`];
  const carries = async (shown: ForwardView) =>
    expect(await fetched(`http://127.0.0.1:${port(shown)}/`), shown.name).toBe(web.sha256);
  const links = (dest: string) =>
    client.call('hosts', {}).then((all) => all.filter(({ spec }) => spec.dest === dest)) as Promise<LinkEntry[]>;
  const prompt = () =>
    until('a prompt', async () => (await client.call('watch', {})).snapshot.prompts[0]) as Promise<Prompt>;
  const answer = (to: Prompt, answer: PromptAnswer) =>
    client.call('answer', {
      prompt: to.id,
      answer: 'answers' in answer ? { ...answer, answers: [...answer.answers] } : answer,
    });
  const connections = (sshd: Sshd) => sshd.log.match(/^Connection from /gm)?.length ?? 0;
  const logins = (sshd: Sshd) => sshd.log.match(/^Accepted publickey/gm)?.length ?? 0;
  const report = async (...words: string[]) => (await home.run(['host', 'box', ...words, '--json'])).json();

  describe('servers of every sort carry 20 MB', () => {
    test('certificates only, of the user and of the host', async () => {
      const ca = path.join(dir, 'ca');
      keygen('-t', 'ed25519', '-N', '', '-f', ca);
      const sshd = await server({ authorized: false, config: [`TrustedUserCAKeys ${ca}.pub`] });
      const words = ['-F', sshd.clientConfig];
      expect(await report(...words)).toMatchObject({ carrier: 'ssh2' });
      keygen('-s', ca, '-I', 'test', '-n', os.userInfo().username, `${sshd.key}.pub`);
      expect(await report(...words)).toMatchObject({
        carrier: 'openssh',
        why: `user certificate ${sshd.key}-cert.pub`,
      });
      const shown = await up('certified', ...words, ...toWeb());
      expect(shown.via).toBe('openssh');
      await carries(shown);
      expect(sshd.log).toContain('Accepted publickey for root from 127.0.0.1');
      expect(sshd.log).toMatch(/ED25519-CERT/);
    });

    test('a key exchange the embedded client lacks: the other carrier is taken by itself', async () => {
      const kex = 'sntrup761x25519-sha512@openssh.com';
      const sshd = await server({ config: [`KexAlgorithms ${kex}`] });
      const words = ['-F', sshd.clientConfig];
      const shown = await up('quantum', ...words, ...toWeb());
      expect(shown.via).toBe('openssh');
      await carries(shown);
      expect(await report(...words)).toMatchObject({
        carrier: 'openssh',
        why: expect.stringContaining('no algorithm'),
      });
      expect((await home.run(['hosts'])).stdout).toMatch(/box +up +openssh .*no algorithm in common/);
      expect(connections(sshd)).toBe(3);
      const told = await add('stubborn', ...words, '-o', 'carrier=ssh2', ...toWeb());
      expect(JSON.parse(told.stderr)).toMatchObject({ error: { code: 'no_common_algorithm' } });
      expect(await client.call('remove', { names: ['stubborn'] })).toHaveLength(1);
    });

    test('only rsa-sha2-512, only chacha20', async () => {
      const rsa = path.join(dir, 'rsa');
      keygen('-t', 'rsa', '-b', '2048', '-N', '', '-f', rsa);
      const only = 'rsa-sha2-512';
      const [one, other] = await Promise.all([
        server({
          config: [
            `HostKey ${rsa}`,
            `HostKeyAlgorithms ${only}`,
            `PubkeyAcceptedAlgorithms ${only}`,
            `AuthorizedKeysFile ${rsa}.pub`,
          ],
        }),
        server({ config: ['Ciphers chacha20-poly1305@openssh.com'] }),
      ]);
      writeFileSync(one.knownHosts, '');
      const words = ['-i', rsa, '-o', 'StrictHostKeyChecking=accept-new'];
      await carries(await up('rsa', '-F', one.clientConfig, ...words, ...toWeb()));
      expect(readFileSync(one.knownHosts, 'utf8')).toContain('ssh-rsa');
      await carries(await up('chacha', '-F', other.clientConfig, ...toWeb()));
    });

    test.skipIf(missing('dropbear') || needsRoot)('dropbear', async () => {
      const dropbear = await startDropbear();
      stops.push(() => dropbear.stop());
      const words = ['-F', 'none', '-o', 'HostName=127.0.0.1', '-p', String(dropbear.port), '-i', dropbear.key];
      const known = `UserKnownHostsFile=${dropbear.dir}/known`;
      await carries(await up('dropbear', ...words, '-o', known, '-o', 'StrictHostKeyChecking=accept-new', ...toWeb()));
    });
  });

  describe('who are you', () => {
    const locked = (sshd: Sshd, name: string) => {
      const key = path.join(sshd.dir, name);
      execFileSync('cp', ['-p', sshd.key, key]);
      keygen('-p', '-P', '', '-N', 'open sesame', '-f', key);
      return ['-F', sshd.clientConfig, '-o', `IdentityFile=${key}`, '-o', `IdentityFile=${key}`];
    };
    /** The server's configuration, with a locked key instead of the open one. */
    const lockedConfig = (sshd: Sshd) => {
      const [, , , identity = ''] = locked(sshd, 'locked');
      const config = readFileSync(sshd.clientConfig, 'utf8').replace(/IdentityFile .*/, identity.replace('=', ' '));
      writeFileSync(path.join(sshd.dir, 'locked_config'), config, { mode: 0o600 });
      return ['-F', path.join(sshd.dir, 'locked_config')];
    };

    test('an encrypted key waits; the answer brings it up; after a loss it is not asked again', async () => {
      const sshd = await server();
      const { code, stderr } = await add('locked', ...lockedConfig(sshd), ...toWeb());
      expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'passphrase_needed' } }]);
      expect(await home.run(['up', 'locked'])).toMatchObject({ code: 4 });
      expect(await view('locked')).toMatchObject({ state: 'waiting', error: { code: 'passphrase_needed' } });
      await answer(await prompt(), { answers: ['open sesame'], remember: 'engine' });
      await carries(await reached('locked', 'up'));
      await sshd.kill();
      await reached('locked', 'retrying');
      await sshd.run();
      await client.call('up', { names: ['locked'] });
      await reached('locked', 'up');
    });

    test('up in a terminal asks for the passphrase, and three wrong ones are the end until somebody asks again', async () => {
      const sshd = await server();
      const made = await home.run(['add', 'asked', 'box', ...lockedConfig(sshd), ...toWeb()]);
      expect(made.code).toBe(0);
      const env = { SALLYPORT_HOME: home.dir };
      const wrong = openTerminal(program, ['up', 'asked'], { env });
      for (const times of [1, 2, 3]) {
        await until('the question', () => wrong.output().split('passphrase: ').length === times + 1);
        wrong.press('wrong', 'enter');
        await until('the next', () => wrong.output().split('Keep it').length === times + 1);
        wrong.press('n', 'enter');
      }
      expect((await wrong.exit()).exitCode).toBe(4);
      wrong.close();
      expect(await view('asked')).toMatchObject({ state: 'failed', error: { code: 'auth_denied' } });
      expect((await view('asked')).error?.message).toMatch(/wrong passphrase .* 3 times/);
      const right = openTerminal(program, ['up', 'asked'], { env });
      await right.see('passphrase: ');
      right.press('open sesame', 'enter');
      await right.see('Keep it');
      right.press('y', 'enter');
      expect((await right.exit()).exitCode).toBe(0);
      expect(right.output()).not.toContain('sesame');
      right.close();
      expect(await view('asked')).toMatchObject({ state: 'up' });
    });

    test('a question is asked anew on a restart, and taken back where somebody else answers it', async () => {
      const sshd = await server();
      await add('shared', ...lockedConfig(sshd), ...toWeb());
      const before = await prompt();
      const terminal = openTerminal(program, ['restart', 'shared'], { env: { SALLYPORT_HOME: home.dir } });
      await terminal.see('passphrase: ');
      const after = await prompt();
      expect(after.id).not.toBe(before.id);
      terminal.press('half of it');
      await answer(after, { answers: ['open sesame'], remember: 'once' });
      expect((await terminal.exit()).exitCode).toBe(0);
      expect(terminal.output()).toMatch(/not asked any more[\s\S]*shared[\s\S]*up/);
      expect(terminal.output().split('passphrase: ')).toHaveLength(2);
      terminal.close();
    });

    test('what the server denies is tried once, and again when somebody asks', async () => {
      const sshd = await server({ authorized: false });
      const before = connections(sshd);
      const words = ['-F', sshd.clientConfig];
      const { code, stderr } = await add('denied', ...words, ...toWeb());
      expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'auth_denied' } }]);
      expect(await view('denied')).toMatchObject({ state: 'failed', nextTry: null });
      expect(connections(sshd) - before).toBe(1);
      expect(await home.run(['up', 'denied'])).toMatchObject({ code: 4 });
      await until('the second try', () => connections(sshd) - before === 2);
      writeFileSync(path.join(sshd.dir, 'authorized_keys'), readFileSync(`${sshd.key}.pub`));
      expect(await home.run(['restart', 'denied'])).toMatchObject({ code: 0 });
      expect(connections(sshd) - before).toBe(3);
    });

    test('an open key file, and an agent that hangs', async () => {
      const open = path.join(dir, 'open');
      execFileSync('cp', [main.key, open]);
      execFileSync('chmod', ['644', open]);
      const config = readFileSync(main.clientConfig, 'utf8').replace(/IdentityFile .*/, `IdentityFile ${open}`);
      writeFileSync(path.join(dir, 'open_config'), config, { mode: 0o600 });
      const { code, stderr } = await add('open', '-F', path.join(dir, 'open_config'), ...toWeb());
      expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'key_unreadable' } }]);
      expect(JSON.parse(stderr).error.hint).toContain('chmod 600');
      const socket = path.join(dir, 'agent');
      const agent = net.createServer(() => {}).listen(socket);
      stops.push(() => agent.close());
      const hung = await up('hung', '-F', main.clientConfig, '-o', `IdentityAgent=${socket}`, ...toWeb());
      expect(hung.state).toBe('up');
    });
  });

  describe('who are they', () => {
    test('an unknown key is shown as ssh-keygen shows it, and written as ssh writes it', async () => {
      const known = path.join(dir, 'hashed');
      const words = ['-F', main.clientConfig, '-o', `UserKnownHostsFile=${known}`, '-o', 'StrictHostKeyChecking=ask'];
      const made = await home.run(['add', 'new', 'box', ...words, '-o', 'HashKnownHosts=yes', ...toWeb()]);
      expect(made.code).toBe(0);
      const [, fingerprint = ''] = keygen('-lf', `${main.hostKey}.pub`).split(' ');
      const terminal = openTerminal(program, ['up', 'new'], { env: { SALLYPORT_HOME: home.dir } });
      await terminal.see('(yes/no/fingerprint)');
      expect(terminal.output()).toContain(fingerprint);
      terminal.press('yes', 'enter');
      expect((await terminal.exit()).exitCode).toBe(0);
      terminal.close();
      expect(readFileSync(known, 'utf8')).toMatch(/^\|1\|\S+ ssh-ed25519 /);
      const found = keygen('-F', `[127.0.0.1]:${main.port}`, '-lf', known);
      expect(found).toContain(fingerprint);
      expect(statSync(known).mode & 0o777).toBe(0o600);
    });

    test.each(['ssh2', 'openssh'])(
      'a changed key over %s: failed for good, and no log-in is tried',
      async (carrier) => {
        const sshd = await server();
        await sshd.kill();
        sshd.changeHostKey();
        await sshd.run();
        const before = connections(sshd);
        const words = ['-F', sshd.clientConfig, '-o', `carrier=${carrier}`];
        const { code, stderr } = await add(`changed-${carrier}`, ...words, ...toWeb());
        expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'host_key_changed' } }]);
        const { error } = JSON.parse(stderr) as { error: { message: string; hint: string } };
        const [, now = ''] = keygen('-lf', `${sshd.hostKey}.pub`).split(' ');
        const [, then = ''] = keygen('-lf', sshd.knownHosts).split(' ');
        expect(error.message).toContain(now);
        expect(error.message).toContain(then);
        expect(error.message).toContain(`${sshd.knownHosts}:1`);
        expect(error.hint).toContain('ssh-keygen');
        expect(error.hint).toContain('-R');
        expect(connections(sshd) - before).toBe(1);
        expect(sshd.log).not.toMatch(/Accepted|Failed|publickey/);
        expect(await view(`changed-${carrier}`)).toMatchObject({ state: 'failed', nextTry: null });
      },
    );
  });

  describe('more kinds', () => {
    test.each(['ssh2', 'openssh'])(
      'sockets on either side, SOCKS from the far end, all over one %s connection',
      async (carrier) => {
        const sshd = await server();
        const words = ['-F', sshd.clientConfig, '-o', `carrier=${carrier}`];
        const listen = path.join(dir, `${carrier}.sock`);
        const far = path.join(dir, `${carrier}-far.sock`);
        const target = path.join(dir, `${carrier}-web.sock`);
        const local = await serveBigFile({ path: target });
        stops.push(local.close);
        const name = (what: string) => `${carrier}-${what}`;
        await up(name('listens'), ...words, '-L', `${listen}:127.0.0.1:${web.port}`);
        const reaches = await up(name('reaches'), ...words, '-L', `127.0.0.1:0:${target}`);
        await up(name('far'), ...words, '-R', `${far}:${target}`);
        const socks = await up(name('socks'), ...words, '-R', '0');
        expect(statSync(listen).mode & 0o777).toBe(0o600);
        expect(await fetched('--unix-socket', listen, 'http://x/')).toBe(web.sha256);
        expect(await fetched(`http://127.0.0.1:${port(reaches)}/`)).toBe(local.sha256);
        expect(await fetched('--unix-socket', far, 'http://x/')).toBe(local.sha256);
        const proxy = `127.0.0.1:${port(socks)}`;
        expect(await fetched('--socks5-hostname', proxy, `http://127.0.0.1:${web.port}/`)).toBe(web.sha256);
        expect(logins(sshd)).toBe(1);
        expect(sshd.sessions().length).toBeLessThanOrEqual(2);
        expect(await home.run(['down', name('listens')])).toMatchObject({ code: 0 });
        expect(existsSync(listen)).toBe(false);
        expect(await home.run(['up', name('listens')])).toMatchObject({ code: 0 });
        expect(statSync(listen).mode & 0o777).toBe(0o600);
        expect(await fetched('--unix-socket', listen, 'http://x/')).toBe(web.sha256);
        expect(await home.run(['restart', name('far')])).toMatchObject({ code: 0 });
        expect(logins(sshd)).toBe(1);
        await sshd.kill();
        await reached(name('far'), 'retrying');
        expect(existsSync(far)).toBe(true);
        await sshd.run();
        await client.call('up', { names: [name('far')] });
        await reached(name('far'), 'up');
        expect(await fetched('--unix-socket', far, 'http://x/')).toBe(local.sha256);
        await client.call('down', { names: [name('far')] });
        await until('the far socket to be cleared away', () => !existsSync(far));
      },
    );

    test.skipIf(needsRoot)('a name with addresses of both families, and a server on one of them', async () => {
      const six = await server({ address: '::1' });
      for (const [name, sshd] of [
        ['four', main],
        ['six', six],
      ] as const) {
        const words = ['-F', sshd.clientConfig, '-o', 'HostName=both', '-o', `HostKeyAlias=${name}`];
        const trust = ['-o', 'StrictHostKeyChecking=accept-new', '-o', `UserKnownHostsFile=${dir}/known_${name}`];
        for (const carrier of ['ssh2', 'openssh'])
          await carries(await up(`${name}-${carrier}`, ...words, ...trust, '-o', `carrier=${carrier}`, ...toWeb()));
        const family = name === 'four' ? 'inet6' : 'inet';
        const wrong = await add(
          `not-${name}`,
          ...words,
          ...trust,
          '-o',
          `AddressFamily=${family}`,
          ...toWeb(),
          '--wait',
          '2',
        );
        expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'host_refused' } });
      }
    });

    test('BindAddress; a family the address is not of; a proxy command', async () => {
      const bound = await up('bound', '-F', main.clientConfig, '-o', 'BindAddress=127.0.0.9', ...toWeb());
      expect(main.log).toContain('Accepted publickey for root from 127.0.0.9');
      expect(bound.state).toBe('up');
      const wrong = await add(
        'family',
        '-F',
        main.clientConfig,
        '-o',
        'AddressFamily=inet6',
        ...toWeb(),
        '--wait',
        '3',
      );
      expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'host_unresolved' } });
      const proxied = await up('proxied', '-F', main.clientConfig, '-o', 'ProxyCommand=socat - TCP:%h:%p', ...toWeb());
      await carries(proxied);
      const fdpass = ['-o', 'ProxyCommand=nc -F %h %p', '-o', 'ProxyUseFdpass=yes'];
      const refused = await add('fdpass', '-F', main.clientConfig, ...fdpass, ...toWeb());
      expect([refused.code, JSON.parse(refused.stderr)]).toMatchObject([4, { error: { code: 'unsupported' } }]);
    });
  });

  describe('jumps', () => {
    /** A configuration with both hosts; `box` may be reached through `jump`. */
    const configOf = (jump: Sshd, box: Sshd) => {
      const file = path.join(jump.dir, 'both');
      const part = (sshd: Sshd) => readFileSync(sshd.clientConfig, 'utf8');
      writeFileSync(file, part(jump).replace('Host box', 'Host jump') + part(box), { mode: 0o600 });
      return file;
    };

    test('-J through a shared host, whose end is shown as its own', async () => {
      const [jump, behind] = await Promise.all([server(), server()]);
      const words = ['-F', configOf(jump, behind), '-J', 'jump'];
      await carries(await up('jumped', ...words, ...toWeb()));
      await up('jumped-too', ...words, '-C', ...toWeb());
      expect([logins(jump), logins(behind)]).toEqual([1, 2]);
      await jump.kill();
      expect((await reached('jumped', 'retrying')).error).toMatchObject({ code: 'jump_failed' });
      expect((await links('jump'))[0]?.status).toMatchObject({ is: 'retrying' });
      expect((await view('jumped-too')).state).toBe('retrying');
      await jump.run();
      await Promise.all([reached('jumped', 'up'), reached('jumped-too', 'up')]);
    });

    test('a jump host that denies the log-in fails what is behind it, until somebody asks again', async () => {
      const [jump, behind] = await Promise.all([server({ authorized: false }), server()]);
      const { code, stderr } = await add('behind', '-F', configOf(jump, behind), '-J', 'jump', ...toWeb());
      expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'jump_failed' } }]);
      expect((await links('jump')).map(({ status }) => status.is)).toContain('failed');
      writeFileSync(path.join(jump.dir, 'authorized_keys'), readFileSync(`${jump.key}.pub`));
      expect(await home.run(['up', 'behind'])).toMatchObject({ code: 0 });
    });

    test('a jump host that waits for a person makes what is behind it wait', async () => {
      const [jump, behind] = await Promise.all([server(), server()]);
      const file = configOf(jump, behind);
      keygen('-p', '-P', '', '-N', 'open sesame', '-f', jump.key);
      const { code, stderr } = await add('patient', '-F', file, '-J', 'jump', '-o', 'ConnectTimeout=1', ...toWeb());
      expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'passphrase_needed' } }]);
      const asked = await prompt();
      expect(asked).toMatchObject({ kind: 'passphrase', host: 'jump' });
      await answer(asked, { answers: ['open sesame'], remember: 'once' });
      await carries(await reached('patient', 'up'));
    });

    test('a jump host only the other carrier can talk to', async () => {
      const kex = 'sntrup761x25519-sha512@openssh.com';
      const [jump, behind] = await Promise.all([server({ config: [`KexAlgorithms ${kex}`] }), server()]);
      const shown = await up('mixed', '-F', configOf(jump, behind), '-J', 'jump', ...toWeb());
      expect(shown.via).toBe('ssh2');
      await carries(shown);
    });

    test('one that dies in the middle of the handshake is retried, and not in a hurry', async () => {
      const fake = await serveTcp((socket) => socket.end('SSH-2.0-dying\r\n'));
      stops.push(fake.close);
      const file = path.join(dir, 'dying');
      const part = `Host jump\n  HostName 127.0.0.1\n  Port ${fake.port}\n`;
      writeFileSync(file, part + readFileSync(main.clientConfig, 'utf8'), { mode: 0o600 });
      for (const carrier of ['ssh2', 'openssh']) {
        const words = ['-F', file, '-J', 'jump', '-o', `carrier=${carrier}`];
        const before = fake.count();
        const { code } = await add(`dying-${carrier}`, ...words, ...toWeb(), '--wait', '0');
        expect(code).toBe(4);
        expect((await reached(`dying-${carrier}`, 'retrying')).error?.code).toBe('jump_failed');
        expect(fake.count() - before).toBeLessThan(4);
        await client.call('remove', { names: [`dying-${carrier}`] });
      }
    });
  });

  describe('staying up', () => {
    test('a peer that falls silent is found out, and a port its dead session still holds is waited for', async () => {
      const sshd = await server();
      const words = ['-F', sshd.clientConfig, '-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=2'];
      const back = await up('back', ...words, '-R', `127.0.0.1:${await freePort()}:127.0.0.1:${web.port}`);
      await carries(back);
      const frozen = sshd.sessions();
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
      const lost = await reached('back', 'retrying');
      expect(lost.error).toMatchObject({ code: 'host_lost', message: expect.stringContaining('silent for 2 s') });
      const held = await until('the port to be waited for', async () => {
        const now = await view('back');
        return now.error?.code === 'remote_port_reclaim' ? now : null;
      });
      expect([held.state, held.nextTry]).toEqual(['retrying', expect.any(String)]);
      for (const pid of frozen) process.kill(pid, 'SIGKILL');
      await carries(await reached('back', 'up'));
    });

    test.each(['ssh2', 'openssh'])('a server that says nothing is given up in time over %s', async (carrier) => {
      const silent = await serveTcp();
      stops.push(silent.close);
      const words = ['-F', main.clientConfig, '-p', String(silent.port), '-o', 'ConnectTimeout=2'];
      const name = `silent-${carrier}`;
      const { code } = await add(name, ...words, '-o', `carrier=${carrier}`, ...toWeb(), '--wait', '0');
      expect(code).toBe(4);
      const { error } = await reached(name, 'retrying', 6000);
      expect(error?.code).toMatch(/handshake_failed|host_timeout/);
      expect(silent.count()).toBe(1);
      await client.call('remove', { names: [name] });
    });

    test('a server with nothing either carrier has fails for good', async () => {
      const sshd = await server({ config: ['KexAlgorithms diffie-hellman-group1-sha1'] });
      const before = connections(sshd);
      const { code, stderr } = await add('nothing', '-F', sshd.clientConfig, ...toWeb());
      expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'no_common_algorithm' } }]);
      expect(connections(sshd) - before).toBe(2);
    });

    test('masters of a killed engine are swept by the next', async () => {
      const shown = await up('kept', '-F', main.clientConfig, '-o', 'carrier=openssh', '-R', `${await freePort()}:x:1`);
      const own = logins(main);
      process.kill(await home.enginePid(), 'SIGKILL');
      client.close();
      expect(await home.run(['engine', 'start'])).toMatchObject({ code: 0 });
      client = await home.connect();
      expect((await reached('kept', 'up')).listen).toBe(shown.listen);
      expect(logins(main)).toBeGreaterThan(own);
    });
  });

  test('probes: degraded with the reason while the target is away, soon seen, and no statistic', async () => {
    const target = await freePort();
    const words = ['-F', main.clientConfig, '--probe', '1s'];
    await up('probed-L', ...words, '-L', `127.0.0.1:0:127.0.0.1:${target}`);
    await up('probed-R', ...words, '-R', `0:127.0.0.1:${target}`);
    await up('probed-D', ...words, '-D', '0');
    await up('slowly', '-F', main.clientConfig, '-L', `127.0.0.1:0:127.0.0.1:${target}`);
    const names = ['probed-L', 'probed-R', 'slowly'];
    for (const name of names) {
      expect((await reached(name, 'degraded', 5000)).error).toMatchObject({
        code: 'probe_failed',
        message: expect.stringContaining('refuses'),
      });
    }
    const there = await serveTcp((socket) => socket.end('hello'), target);
    await Promise.all(['probed-L', 'probed-R'].map((name) => reached(name, 'up')));
    const seen = there.count();
    await until('more probes', () => there.count() > seen + 2);
    there.close();
    await Promise.all(['probed-L', 'probed-R'].map((name) => reached(name, 'degraded', 5000)));
    for (const name of [...names, 'probed-D'])
      expect(await view(name)).toMatchObject({ rx: 0, tx: 0, flows: 0, flowsTotal: 0 });
    expect((await view('probed-D')).state).toBe('up');
  });

  describe('coming from elsewhere', () => {
    test('an ssh command line, ssh_config lines, and a file that export wrote', async () => {
      const socks = await freePort();
      const local = await freePort();
      const config = path.join(dir, 'laptop');
      const text = readFileSync(main.clientConfig, 'utf8').replace('Host box', 'Host laptop');
      writeFileSync(config, `${text}  LocalForward ${await freePort()} web:80\n  DynamicForward 1081\n`, {
        mode: 0o600,
      });
      const line = `ssh -F ${config} -C -D ${socks} -L ${local}:127.0.0.1:${web.port} laptop`.split(' ');
      const said = await home.run(['import', '--dry-run', '--', ...line]);
      expect(said.stdout.match(/^would add laptop/gm)).toHaveLength(2);
      const made = await home.run(['import', '--json', '--', ...line]);
      const names = made.json<{ add: { name: string }[] }>().add.map(({ name }) => name);
      expect(await home.run(['up', ...names])).toMatchObject({ code: 0 });
      expect(await fetched(`http://127.0.0.1:${local}/`)).toBe(web.sha256);
      expect(await fetched('--socks5', `127.0.0.1:${socks}`, `http://127.0.0.1:${web.port}/`)).toBe(web.sha256);
      expect(await home.run(['down', '--all'])).toMatchObject({ code: 0 });
      const before = (await home.run(['export'])).stdout;
      const dry = await home.run(['import', 'ssh-config', config, '--dry-run', '--json']);
      expect(dry.json()).toMatchObject({
        add: [
          { kind: 'local', host: 'laptop', target: { host: 'web', port: 80 } },
          { kind: 'dynamic', listen: { port: 1081 } },
        ],
      });
      expect((await home.run(['export'])).stdout).toBe(before);
      const file = path.join(dir, 'export.json');
      expect((await home.run(['export', file])).code).toBe(0);
      const other = programHome();
      try {
        const brought = await other.run(['import', file, '--json']);
        const forwards = (JSON.parse(before) as { forwards: unknown[] }).forwards;
        expect(brought.json<{ add: unknown[] }>().add).toHaveLength(forwards.length);
        const again = JSON.parse((await other.run(['export'])).stdout) as { forwards: unknown[] };
        expect(again.forwards).toEqual(forwards);
        expect((await other.run(['import', file, '--json'])).json()).toMatchObject({ add: [], change: [] });
      } finally {
        await other.remove();
      }
    });

    test('scan finds a plain ssh -N -L, a listener of sshd, and says how to take them over', async () => {
      const [local, remote] = [await freePort(), await freePort()];
      const words = [
        '-F',
        main.clientConfig,
        '-N',
        '-L',
        `${local}:127.0.0.1:80`,
        '-R',
        `${remote}:127.0.0.1:80`,
        'box',
      ];
      const child = spawn('ssh', words, { stdio: 'ignore' });
      stops.push(() => child.kill());
      const rows = await until('both rows', async () => {
        const all = (await home.run(['scan', '--json'])).json<{ listen: string; pid: number; owner: string }[]>();
        const mine = all.filter(({ pid, listen }) => pid === child.pid || listen.endsWith(`:${remote}`));
        return mine.some(({ owner }) => owner === 'sshd') && mine.length >= 3 ? mine : null;
      });
      const found = rows.find(({ pid, listen }) => pid === child.pid && listen.endsWith(`:${local}`));
      expect(found).toMatchObject({
        owner: 'ssh',
        kind: 'local',
        target: '127.0.0.1:80',
        user: os.userInfo().username,
        import: expect.stringMatching(/^sallyport import -- ssh /),
      });
      child.kill();
    });
  });
});
