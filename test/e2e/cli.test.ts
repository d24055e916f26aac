// The built program, run as a user runs it, against a real sshd.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { freePort } from '../support/ports.ts';
import { type ProgramHome, program, programHome } from '../support/program.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '..', '..');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

let home: ProgramHome;
beforeEach(() => {
  home = programHome();
});
afterEach(() => home.remove());

const failure = (stderr: string) =>
  (JSON.parse(stderr) as { error: { code: string; message: string; hint: string } }).error;

describe('without an engine', () => {
  test('status and stop say so and start none; export prints the configuration all the same', async () => {
    for (const words of [
      ['engine', 'status'],
      ['engine', 'stop'],
    ]) {
      const { code, stderr } = await home.run(words);
      expect([code, stderr.split('\n')[0]]).toEqual([3, `sallyport: ${words.join(' ')}: no engine runs for this home`]);
    }
    const { code, json } = await home.run(['export']);
    expect([code, json()]).toMatchObject([0, { version: 1, forwards: [] }]);
    expect(existsSync(home.home.socket)).toBe(false);
  });

  test('a plain command never loads the screen', () => {
    const seen = new Set<string>();
    const follow = (file: string) => {
      if (seen.has(file)) return;
      seen.add(file);
      const code = readFileSync(file, 'utf8');
      for (const [, next] of code.matchAll(/(?:^|[;}\s])(?:import|from)\s*"(\.[^"]+)"/g))
        follow(path.join(path.dirname(file), next as string));
    };
    follow(path.join(root, 'dist', 'cli.js'));
    expect(seen.size).toBeGreaterThan(1);
    for (const file of seen) expect(readFileSync(file, 'utf8'), file).not.toContain('react.production');
  });
});

describe('bad input', () => {
  test.each([
    [['lss'], 2, 'usage'],
    [['add', 'a', 'box', '-L', 'x'], 2, 'bad_spec'],
    [['add', 'a', 'box', '-L', '8080:h:70000'], 2, 'bad_spec'],
    [['add', 'a', 'box', '-L', '1:h:1', '--bogus'], 2, 'usage'],
    [['map', 'm', '90-80', '10.0.0.1'], 2, 'bad_value'],
    [['map', 'm', '0', '10.0.0.1'], 2, 'bad_value'],
    [['map', 'm', '80', '10.0.0.1', '--allow', '10.0.0.0/99'], 2, 'bad_value'],
    [['trigger', 't', '--on', 'tcp/1'], 2, 'usage'],
    [['up'], 2, 'usage'],
    [['up', 'nobody'], 1, 'not_found'],
    [['show', 'nobody'], 1, 'not_found'],
    [['kill', 'nothing'], 1, 'not_found'],
    [['events', 'nobody'], 1, 'not_found'],
    [['events', 'nobody', '-f'], 1, 'not_found'],
    [['ls', '--session', 'nobody'], 1, 'not_found'],
    [['map', 'm', '80', '[::1'], 2, 'bad_value'],
    [['map', 'm', '80', '10.0.0.1', '--proto', 'sctp'], 2, 'bad_value'],
    [['map', 'm', '80', '10.0.0.1', '--bind', '999.1.1.1'], 2, 'bad_value'],
    [['map', 'm', '8080', 'localhost'], 2, 'bad_value'],
    [['import', '/nowhere'], 1, 'config_invalid'],
    [['import', 'ssh-config', '/nowhere'], 1, 'host_config'],
    [['export', '/nowhere/file'], 1, 'config_write'],
    [['--engine', 'box', 'ls'], 2, 'usage'],
  ])('%j', async (words, code, errorCode) => {
    const plain = await home.run(words);
    expect(plain.code, plain.stderr).toBe(code);
    expect(plain.stdout).toBe('');
    expect(plain.stderr).toMatch(/^sallyport: .+: .+\ntry: .+\n$/);
    const json = await home.run([...words, '--json']);
    expect(json.code).toBe(code);
    expect(failure(json.stderr).code).toBe(errorCode);
  });

  test('a name twice is refused, nothing of the command is stored, the nearest name is suggested', async () => {
    expect((await home.run(['map', 'web', '18080', '127.0.0.1:80'])).code).toBe(0);
    const twice = await home.run(['add', 'web', 'box', '-D', '0', '--json']);
    expect([twice.code, failure(twice.stderr).code]).toEqual([1, 'name_taken']);
    const conflict = await home.run(['map', 'other', '18080', '127.0.0.1:81', '--json']);
    expect([conflict.code, failure(conflict.stderr).code]).toEqual([1, 'conflict']);
    expect(failure(conflict.stderr).message).toContain('web');
    const near = await home.run(['show', 'wbe']);
    expect([near.code, near.stderr]).toEqual([1, expect.stringContaining('web')]);
    expect((await home.run(['ls', '--json'])).json<ForwardView[]>().map(({ name }) => name)).toEqual(['web']);
  });

  test('a config file of nonsense is reported alike by every command, and kept', async () => {
    const file = path.join(home.dir, 'config.json');
    writeFileSync(file, '{"version":1,', { mode: 0o600 });
    for (const words of [['export'], ['ls'], ['engine', 'run'], ['engine', 'start']]) {
      const { code, stderr } = await home.run(words);
      expect([code, stderr], words.join(' ')).toEqual([
        1,
        expect.stringMatching(/^sallyport: cannot read .*config\.json: it is not JSON: .*\ntry: .*\n$/),
      ]);
    }
    expect(readFileSync(file, 'utf8')).toBe('{"version":1,');
  });

  test('a config file spoiled while the engine runs is never written over', async () => {
    const file = path.join(home.dir, 'config.json');
    expect((await home.run(['map', 'web', '18080', '127.0.0.1:80'])).code).toBe(0);
    writeFileSync(file, 'spoiled');
    for (const words of [
      ['rm', 'web'],
      ['rm', 'web'],
      ['map', 'more', '18081', '127.0.0.1:80'],
    ]) {
      const { code, stderr } = await home.run([...words, '--json']);
      expect([code, failure(stderr).code]).toEqual([1, 'config_invalid']);
    }
    expect(readFileSync(file, 'utf8')).toBe('spoiled');
  });
});

describe('the home', () => {
  test('a config file written by hand may leave out what has a default; commands change it all the same', async () => {
    const written = {
      version: 1,
      settings: { theme: 'auto' },
      forwards: [
        { name: 'web', kind: 'mapping', session: 'home', listen: { port: 18080 }, target: { host: '::1', port: 80 } },
      ],
    };
    writeFileSync(path.join(home.dir, 'config.json'), JSON.stringify(written));
    const sessions = (await home.run(['sessions', '--json'])).json<{ name: string }[]>();
    expect(sessions.map(({ name }) => name)).toEqual(['default', 'home']);
    const edited = await home.run(['edit', 'web', '--note', 'kept', '--json']);
    expect([edited.code, edited.stderr]).toEqual([0, '']);
    expect((await home.run(['export'])).json()).toMatchObject({ forwards: [{ ...written.forwards[0], note: 'kept' }] });
  });

  test('named by a relative path, it is the same one for the engine, which runs elsewhere', async () => {
    const here = { cwd: home.dir, env: { ...home.env, SALLYPORT_HOME: '.' } };
    await run(program, ['engine', 'start'], here);
    const { stdout } = await run(program, ['engine', 'status', '--json'], here);
    expect(JSON.parse(stdout)).toMatchObject({ home: home.dir });
  });

  test('that cannot be one is said in one line, with the next step', async () => {
    const file = path.join(home.dir, 'file');
    writeFileSync(file, '');
    for (const words of [['ls'], ['engine', 'run']]) {
      const failed = await run(program, words, { env: { ...home.env, SALLYPORT_HOME: file } }).catch((error) => error);
      expect([failed.code, failed.stderr]).toEqual([
        1,
        expect.stringMatching(/^sallyport: cannot use .*\/file\/.*: not a directory\ntry: set SALLYPORT_HOME .*\n$/),
      ]);
    }
  });

  test('has one engine: another in the foreground says so', async () => {
    await home.run(['engine', 'start']);
    const { code, stderr } = await home.run(['engine', 'run', '--json']);
    expect([code, failure(stderr).code]).toEqual([1, 'engine_busy']);
  });
});

describe('output', () => {
  test('a long answer arrives whole through a pipe, and a reader that leaves is no error', async () => {
    const ports = Array.from({ length: 400 }, (_, i) => ({
      name: `m${i}`,
      kind: 'mapping',
      listen: { port: 20_000 + i },
      target: { host: '127.0.0.1', port: 80 },
      note: 'x'.repeat(400),
    }));
    const config = path.join(home.dir, 'config.json');
    writeFileSync(config, JSON.stringify({ version: 1, forwards: ports }), { mode: 0o600 });
    const slow = await run('sh', ['-c', `'${root}/bin/sallyport' ls --json | { sleep 0.5; cat; }`], {
      env: home.env,
      maxBuffer: 1e8,
    });
    expect(slow.stdout.length).toBeGreaterThan(200_000);
    expect(JSON.parse(slow.stdout)).toHaveLength(400);
    const left = await run('sh', ['-c', `'${root}/bin/sallyport' ls --json | head -c 10`], { env: home.env });
    expect([left.stdout.length, left.stderr]).toEqual([10, '']);
  });

  test('that cannot be written is said in one line', async () => {
    const full = await run('sh', ['-c', `'${program}' presets > /dev/full`], { env: home.env }).catch((error) => error);
    expect([full.code, full.stderr]).toEqual([
      1,
      expect.stringMatching(/^sallyport: cannot write the output: ENOSPC.*\ntry: .*\n$/),
    ]);
  });

  test('ls, show and export agree, key by key', async () => {
    await home.run(['map', 'm', '18081', '127.0.0.1:80', '--note', 'why']);
    const list = (await home.run(['ls', '--json'])).json<ForwardView[]>();
    const show = (await home.run(['show', 'm', '--json'])).json<ForwardView>();
    expect(Object.keys(show)).toEqual(
      'name kind session host via desired state listen target rx tx rxRate txRate flows flowsTotal since nextTry error opened note'.split(
        ' ',
      ),
    );
    expect(list).toEqual([show]);
    expect(show).toMatchObject({
      listen: 'tcp/127.0.0.1:18081',
      target: '127.0.0.1:80',
      note: 'why',
      state: 'off',
      via: 'relay',
    });
    const live = (await home.run(['export'])).json<{ forwards: unknown[] }>();
    await home.run(['engine', 'stop']);
    expect((await home.run(['export'])).json()).toEqual(live);
    const file = path.join(home.dir, 'out.json');
    expect((await home.run(['export', file])).code).toBe(0);
    expect([JSON.parse(readFileSync(file, 'utf8')), statSync(file).mode & 0o777]).toEqual([live, 0o600]);
  });

  test('events go on past a restart of the engine', async () => {
    await home.run(['engine', 'start']);
    const child = spawn(program, ['events', '-f', '--json'], {
      env: home.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const seen: { at: string; forward: string | null }[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => seen.push(JSON.parse(line)));
    const port = await freePort();
    await home.run(['map', 'one', String(port), '127.0.0.1:80', '--up']);
    await until('an event of one', () => seen.some(({ forward }) => forward === 'one'));
    await home.run(['engine', 'restart']);
    await home.run(['map', 'two', String(await freePort()), '127.0.0.1:80', '--up']);
    await until('an event of two', () => seen.some(({ forward }) => forward === 'two'));
    expect(Object.keys(seen[0] as object)).toEqual(['at', 'level', 'forward', 'code', 'message']);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

describe.skipIf(missing('sshd', 'curl'))('against a real sshd', () => {
  let sshd: Sshd;
  let web: http.Server;
  let webPort: number;
  const file = randomBytes(20_000_000);
  beforeAll(async () => {
    sshd = await Sshd.start();
    web = http.createServer((_, response) => response.end(file)).listen(0, '127.0.0.1');
    await once(web, 'listening');
    webPort = (web.address() as net.AddressInfo).port;
  });
  afterAll(async () => {
    web.close();
    await sshd.stop();
  });
  const fetched = async (...words: string[]) =>
    sha256((await run('curl', ['-sS', '--max-time', '20', ...words], { encoding: 'buffer', maxBuffer: 1e8 })).stdout);

  test('local, remote and dynamic carry 20 MB each, and the bytes are counted', async () => {
    const [local, remote, socks] = [await freePort(), await freePort(), await freePort()];
    const add = (...words: string[]) => home.run(['add', ...words, '-F', sshd.clientConfig, '--up']);
    expect(await add('web', 'box', '-L', `${local}:127.0.0.1:${webPort}`)).toMatchObject({ code: 0, stderr: '' });
    expect(await add('back', 'box', '-R', `${remote}:127.0.0.1:${webPort}`)).toMatchObject({ code: 0, stderr: '' });
    expect(await add('socks', 'box', '-D', String(socks))).toMatchObject({ code: 0, stderr: '' });
    const wanted = sha256(file);
    expect(await fetched(`http://127.0.0.1:${local}/`)).toBe(wanted);
    expect(await fetched(`http://127.0.0.1:${remote}/`)).toBe(wanted);
    for (const way of ['--socks4a', '--socks5', '--socks5-hostname']) {
      expect(await fetched(way, `127.0.0.1:${socks}`, `http://127.0.0.1:${webPort}/`), way).toBe(wanted);
    }
    const counted = async () => {
      const views = (await home.run(['ls', '--json'])).json<ForwardView[]>();
      return views.map(({ state, rx }) => [state, Math.round(rx / file.length)]);
    };
    await until('the counts', async () => JSON.stringify(await counted()) === '[["up",1],["up",1],["up",3]]');
    const [view] = (await home.run(['ls', '--json'])).json<ForwardView[]>();
    expect(Math.abs((view?.rx ?? 0) - file.length) / file.length).toBeLessThan(0.02);
    const table = (await home.run(['ls'])).stdout;
    expect(table).toMatch(/^NAME +STATE +KIND +LISTEN +HOST +TARGET/);
    expect(table).toContain('● up');
    expect(table).not.toContain('\u001b');
  });

  test('flows are listed with who made them, and can be ended', async () => {
    const port = await freePort();
    const hanging = net.createServer(() => {}).listen(0, '127.0.0.1');
    await once(hanging, 'listening');
    const target = (hanging.address() as net.AddressInfo).port;
    await home.run(['add', 'hang', 'box', '-F', sshd.clientConfig, '-L', `${port}:127.0.0.1:${target}`, '--up']);
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('hello');
    const flows = async () =>
      (await home.run(['flows', 'hang', '--json'])).json<{ id: string; tx: number; pid: number; user: string }[]>();
    await until('the flow with its bytes', async () => (await flows())[0]?.tx === 5);
    const [flow] = await flows();
    expect(Object.keys(flow as object)).toEqual([
      'id',
      'forward',
      'peer',
      'target',
      'rx',
      'tx',
      'since',
      'user',
      'pid',
    ]);
    expect(flow).toMatchObject({ pid: process.pid, user: os.userInfo().username });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    expect((await home.run(['kill', flow?.id ?? ''])).code).toBe(0);
    await closed;
    hanging.close();
  });

  test('a taken port: stored, failed, exit 4, the holder named', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as net.AddressInfo;
    const added = await home.run([
      'add',
      'taken',
      'box',
      '-F',
      sshd.clientConfig,
      '-L',
      `127.0.0.1:${port}:x:1`,
      '--up',
    ]);
    expect(added.code).toBe(4);
    expect(added.stdout).toContain('failed');
    expect(added.stderr).toMatch(/^sallyport: taken failed: .+\ntry: .+/);
    const view = (await home.run(['show', 'taken', '--json'])).json<ForwardView>();
    expect(view).toMatchObject({ state: 'failed', desired: 'up', error: { code: 'port_taken' } });
    expect(view.error?.message).toContain(String(process.pid));
    holder.close();
  });

  test('a changed host key: failed, and no authentication is tried', async () => {
    const other = await Sshd.start();
    try {
      await other.kill();
      other.changeHostKey();
      await other.run();
      const before = other.log.length;
      const added = await home.run(['add', 'changed', 'box', '-F', other.clientConfig, '-D', '0', '--up', '--json']);
      expect([added.code, failure(added.stderr).code]).toEqual([4, 'host_key_changed']);
      expect(other.log.slice(before)).not.toMatch(/Accepted|Failed|publickey for/);
    } finally {
      await other.stop();
    }
  });

  test('an unknown host key waits for a person: exit 4 without a terminal', async () => {
    const empty = path.join(home.dir, 'no_known_hosts');
    const added = await home.run([
      'add',
      'new',
      'box',
      '-F',
      sshd.clientConfig,
      '-o',
      `UserKnownHostsFile=${empty}`,
      '-o',
      'StrictHostKeyChecking=ask',
      '-D',
      '0',
      '--up',
      '--json',
    ]);
    expect([added.code, failure(added.stderr).code]).toEqual([4, 'host_key_unknown']);
    expect((await home.run(['show', 'new', '--json'])).json<ForwardView>().state).toBe('waiting');
  });

  test('a key file that is none, and a host that does not resolve: one clear line each', async () => {
    const bad = path.join(home.dir, 'not-a-key');
    writeFileSync(bad, 'hello\n', { mode: 0o600 });
    const key = await home.run([
      'add',
      'key',
      'root@127.0.0.1',
      '-p',
      String(sshd.port),
      '-F',
      'none',
      '-i',
      bad,
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      `UserKnownHostsFile=${sshd.knownHosts}`,
      '-D',
      '0',
      '--up',
    ]);
    expect([key.code, key.stderr]).toEqual([4, expect.stringContaining('not-a-key')]);
    const host = await home.run([
      'add',
      'host',
      'nowhere.invalid',
      '-F',
      'none',
      '-D',
      '0',
      '--up',
      '--wait',
      '3',
      '--json',
    ]);
    expect([host.code, failure(host.stderr).code]).toEqual([4, 'host_unresolved']);
  });

  test('another machine’s engine: the command runs there, its words unchanged', async () => {
    const bin = mkdtempSync(path.join(os.tmpdir(), 'remote-bin-'));
    try {
      // ssh as the user would have set it up, and the program on the other side.
      writeFileSync(path.join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F '${sshd.clientConfig}' "$@"\n`);
      writeFileSync(
        path.join(bin, 'sallyport'),
        `#!/bin/sh\nexport SALLYPORT_HOME='${home.dir}'\nexec '${root}/bin/sallyport' "$@"\n`,
      );
      for (const name of ['ssh', 'sallyport']) chmodSync(path.join(bin, name), 0o755);
      const elsewhere = programHome({
        PATH: `${bin}:${process.env.PATH}`,
        SALLYPORT_REMOTE: path.join(bin, 'sallyport'),
      });
      const note = `it's "$HOME" \`id\` & more`;
      const added = await elsewhere.run([
        '--engine',
        'ssh://box',
        'map',
        'far',
        '18082',
        '127.0.0.1:80',
        '--note',
        note,
      ]);
      expect(added).toMatchObject({ code: 0, stderr: '' });
      expect((await home.run(['show', 'far', '--json'])).json()).toMatchObject({ note });
      expect((await elsewhere.run(['--engine', 'ssh://box', 'show', 'nobody'])).code).toBe(1);
      expect((await elsewhere.run(['engine', 'status'])).code).toBe(3);
      const unreached = await elsewhere.run(['--engine', 'ssh://127.0.0.1:1', 'ls']);
      expect([unreached.code, unreached.stderr]).toEqual([
        1,
        expect.stringMatching(/\nsallyport: --engine .+\ntry: .+\n$/),
      ]);
      const inJson = await elsewhere.run(['--engine', 'ssh://127.0.0.1:1', 'ls', '--json']);
      expect([inJson.code, failure(inJson.stderr)]).toEqual([
        1,
        expect.objectContaining({ code: 'host_unreachable', message: expect.stringContaining('refused') }),
      ]);
      await elsewhere.remove();
    } finally {
      rmSync(bin, { recursive: true, force: true });
    }
  });
});

describe('the demo', () => {
  test('leaves nothing behind, however it ends', async () => {
    const tmp = mkdtempSync(path.join(os.tmpdir(), 'demo-end-'));
    mkdirSync(path.join(tmp, 't'));
    const env = { ...process.env, TMPDIR: path.join(tmp, 't') };
    const left = () =>
      execFileSync(
        'sh',
        [
          '-c',
          `ls '${tmp}/t'; grep -lsa '${tmp}/t' /proc/[0-9]*/environ | xargs -r -n1 dirname | while read p; do tr '\\0' ' ' < $p/cmdline; done || true`,
        ],
        { encoding: 'utf8' },
      );
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const child = spawn(program, ['demo', '--check'], { env, stdio: 'ignore' });
      const exit = once(child, 'exit');
      await until('the engine of the demo', () => left().includes('engine.js'));
      child.kill(signal);
      await exit;
      await until(
        `nothing left after ${signal}`,
        () => !left().includes('sallyport-demo') && !left().includes('engine.js'),
      );
    }
    rmSync(tmp, { recursive: true });
  });
});
