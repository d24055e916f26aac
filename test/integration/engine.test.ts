import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dialEngine } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import { startMirror } from '../../src/client/mirror.ts';
import { build } from '../../src/model/build.ts';
import { parseConfig } from '../../src/model/config-text.ts';
import { engineFile, makeHome, type TestHome } from '../support/home.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

let test_: TestHome;
beforeEach(() => {
  test_ = makeHome();
});
afterEach(() => test_.remove());

const local = (name: string, port: number) => ({
  name,
  kind: 'local',
  host: 'nowhere.invalid',
  listen: { port },
  target: { host: 'web', port: 80 },
});
/** The command line of a process; nothing for one that is gone. */
function commandOf(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') : '';
  } catch {
    return '';
  }
}
const configFile = () => path.join(test_.home.configDir, 'config.json');

describe('the engine', () => {
  test('is one, however many commands start it at once', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => test_.connect()));
    const pids = await Promise.all(clients.map(async (client) => (await client.call('status', {})).pid));
    expect(new Set(pids).size).toBe(1);
    for (const client of clients) client.close();
  });

  test('keeps its socket and folders to the user', async () => {
    (await test_.connect()).close();
    expect(statSync(test_.home.runDir).mode & 0o777).toBe(0o700);
    expect(statSync(test_.home.socket).mode & 0o077).toBe(0);
    expect(statSync(path.dirname(test_.home.logFile)).mode & 0o077).toBe(0);
  });

  test('takes over the socket a killed one left behind', async () => {
    (await test_.connect()).close();
    const pid = await test_.enginePid();
    process.kill(pid, 'SIGKILL');
    await until('the socket to be dead', async () => (await dialEngine(test_.home.socket)) === null);
    expect(existsSync(test_.home.socket)).toBe(true);
    (await test_.connect()).close();
    expect(await test_.enginePid()).not.toBe(pid);
  });

  test('of another build is replaced, and its forwards are still there', async () => {
    const client = await test_.connect();
    await client.call('add', { forwards: [local('web', 0)] });
    const { pid } = await client.call('status', {});
    client.close();
    // The same engine under another build's name, as an upgrade would leave it running.
    const dist = path.dirname(engineFile);
    const copy = mkdtempSync(path.join(dist, '..', '.build-'));
    try {
      cpSync(dist, copy, { recursive: true });
      for (const file of readdirSync(copy, { recursive: true, encoding: 'utf8' })) {
        if (!file.endsWith('.js')) continue;
        const text = readFileSync(path.join(copy, file), 'utf8');
        writeFileSync(path.join(copy, file), text.replaceAll(`"${build}"`, '"another"'));
      }
      const first = await dialEngine(test_.home.socket);
      await first?.call('stop', {});
      await until('the first engine to be gone', async () => (await dialEngine(test_.home.socket)) === null);
      spawn(process.execPath, [path.join(copy, 'engine.js')], { env: test_.env, stdio: 'ignore' });
      const other = await until('the other build to answer', () => dialEngine(test_.home.socket));
      expect(await other.call('hello', { build })).toMatchObject({ build: 'another' });
      other.close();
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
    const again = await test_.connect();
    expect((await again.call('status', {})).pid).not.toBe(pid);
    expect((await again.call('list', {})).map(({ name }) => name)).toEqual(['web']);
    again.close();
  });

  test('under a service manager it leaves the next one to that', async () => {
    // As systemd does it: the process is told its own id, and one that ends with a failure is started again.
    const pids: number[] = [];
    const serve = () => {
      const words = ['-c', 'SYSTEMD_EXEC_PID=$$ exec "$@"', 'sh', process.execPath, engineFile];
      const child = spawn('sh', words, { env: test_.env, stdio: 'ignore' });
      pids.push(child.pid as number);
      child.on('exit', (code) => {
        if (code !== 0) serve();
      });
    };
    serve();
    const first = await until('the first engine to answer', () => dialEngine(test_.home.socket));
    await first.call('add', { forwards: [local('web', 0)] });
    first.close();
    const second = await connect({ home: test_.home, start: true, engineFile, renew: true });
    expect(pids).toHaveLength(2);
    expect((await second.call('status', {})).pid).toBe(pids[1]);
    expect((await second.call('list', {})).map(({ name }) => name)).toEqual(['web']);
    // Ended by a person it stays ended.
    await second.call('stop', {});
    await until('the second engine to be gone', async () => (await dialEngine(test_.home.socket)) === null);
    expect(pids).toHaveLength(2);
  });

  test('of an installed unit is started by systemd, and from here where that cannot', async () => {
    const bin = path.join(test_.home.configDir, 'bin');
    mkdirSync(bin);
    const said = path.join(bin, 'said');
    const systemctl = path.join(bin, 'systemctl');
    const script = (last: string) =>
      writeFileSync(systemctl, `#!/bin/sh\necho "$@" >>${said}\n${last}\n`, { mode: 0o755 });
    const { PATH } = process.env;
    process.env.PATH = `${bin}:${PATH}`;
    const ask = () => connect({ home: test_.home, start: true, engineFile, unit: 'sallyport.service' });
    try {
      script(`SALLYPORT_HOME=${test_.home.configDir} BY_UNIT=1 ${process.execPath} ${engineFile} >/dev/null 2>&1 &`);
      const client = await ask();
      const { pid } = await client.call('status', {});
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toContain('BY_UNIT=1');
      await client.call('stop', {});
      await until('the engine to be gone', async () => (await dialEngine(test_.home.socket)) === null);
      script('exit 1');
      const own = await ask();
      expect(readFileSync(`/proc/${(await own.call('status', {})).pid}/environ`, 'utf8')).not.toContain('BY_UNIT=1');
      own.close();
      expect(readFileSync(said, 'utf8')).toBe('--user start sallyport.service\n'.repeat(2));
    } finally {
      process.env.PATH = PATH;
    }
  });

  test('two commands at once never lose an update', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => test_.connect()));
    await Promise.all(
      clients.flatMap((client, i) =>
        Array.from({ length: 10 }, (_, k) => client.call('add', { forwards: [local(`f-${i}-${k}`, 0)] })),
      ),
    );
    const config = parseConfig(readFileSync(configFile(), 'utf8'), configFile(), '');
    expect(config.forwards).toHaveLength(40);
    for (const client of clients) client.close();
  });

  test('killed in the middle of edits, it leaves a whole file with every change that was answered', async () => {
    for (let round = 0; round < 5; round++) {
      const client = await test_.connect();
      const { pid } = await client.call('status', {});
      const answered: string[] = [];
      const killAfter = 5 + round * 7;
      for (let i = 0; i < 60; i++) {
        const name = `r${round}-${i}`;
        const adding = client.call('add', { forwards: [local(name, 0)] }).then(() => answered.push(name));
        if (i === killAfter) process.kill(pid, 'SIGKILL');
        try {
          await adding;
        } catch {
          break;
        }
      }
      client.close();
      const config = parseConfig(readFileSync(configFile(), 'utf8'), configFile(), '');
      const stored = new Set(config.forwards.map(({ name }) => name));
      expect(answered.filter((name) => !stored.has(name))).toEqual([]);
      expect(answered.length).toBeGreaterThanOrEqual(killAfter);
    }
  });

  test('a config file edited into nonsense stops the start in one line, and is left alone', async () => {
    writeFileSync(configFile(), '{"version":1,"forwards":[{"name":"x","kind":"local"}]}');
    await expect(test_.connect()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('forwards.0.'),
    });
    expect(readFileSync(configFile(), 'utf8')).toContain('"x"');
  });

  test('takes up what was edited by hand before it writes itself', async () => {
    const client = await test_.connect();
    await client.call('add', { forwards: [local('one', 0)] });
    const config = JSON.parse(readFileSync(configFile(), 'utf8'));
    config.forwards.push({ ...local('by-hand', 0), session: 'default', enabled: false });
    writeFileSync(configFile(), JSON.stringify(config));
    await client.call('add', { forwards: [local('two', 0)] });
    expect((await client.call('list', {})).map(({ name }) => name)).toEqual(['one', 'by-hand', 'two']);
    writeFileSync(configFile(), 'nonsense');
    await expect(client.call('add', { forwards: [local('three', 0)] })).rejects.toMatchObject({
      code: 'config_invalid',
    });
    expect(readFileSync(configFile(), 'utf8')).toBe('nonsense');
    client.close();
  });

  test('fails a rule that only a file edited by hand can hold, with the reason, and runs the rest', async () => {
    const port = await freePort();
    const relay = (name: string, listen: object, more: object = {}) => ({
      name,
      kind: 'mapping',
      enabled: true,
      listen,
      target: { host: '127.0.0.1', port: 1 },
      ...more,
    });
    const forwards = [
      relay('fine', { port }),
      relay('again', { port }),
      relay('backwards', { port: 9000, last: 8000 }),
      relay('listed', { port: 9001 }, { via: 'router', allow: ['10.0.0.0/8'] }),
    ];
    writeFileSync(configFile(), JSON.stringify({ version: 1, forwards }));
    const client = await test_.connect();
    const list = await until('the first to be up', async () => {
      const now = await client.call('list', {});
      return ['up', 'degraded'].includes(now[0]?.state ?? '') ? now : null;
    });
    expect(list.slice(1).map(({ name, state, error }) => [name, state, error?.code, error?.message])).toEqual([
      ['again', 'failed', 'conflict', `again wants tcp ${port}, which fine has`],
      ['backwards', 'failed', 'bad_value', 'port range 9000-8000 is upside down'],
      ['listed', 'failed', 'unsupported', 'a router cannot be relied on to enforce a source list'],
    ]);
    client.close();
  });

  test('refuses a second forward on a port, a second of a name, and stores nothing of a bad batch', async () => {
    const client = await test_.connect();
    await client.call('add', { forwards: [local('web', 8080)] });
    await expect(client.call('add', { forwards: [local('fine', 9000), local('clash', 8080)] })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('web'),
    });
    await expect(client.call('add', { forwards: [local('web', 1234)] })).rejects.toMatchObject({ code: 'name_taken' });
    await expect(client.call('add', { forwards: [{ ...local('bad', 80), colour: 1 }] })).rejects.toMatchObject({
      code: 'bad_value',
    });
    expect((await client.call('list', {})).map(({ name }) => name)).toEqual(['web']);
    await expect(client.call('up', { names: ['wep'] })).rejects.toMatchObject({
      code: 'not_found',
      hint: expect.stringContaining('web'),
    });
    client.close();
  });

  test('undo brings back what was removed or edited', async () => {
    const client = await test_.connect();
    await client.call('add', { forwards: [local('web', 8080)] });
    await client.call('edit', { name: 'web', patch: { note: 'hello', listen: { port: 8081 } } });
    await client.call('remove', { names: ['web'] });
    expect(await client.call('undo', {})).toEqual({ undone: 'rm web' });
    expect((await client.call('show', { name: 'web' })).config).toMatchObject({
      note: 'hello',
      listen: { port: 8081 },
    });
    await client.call('undo', {});
    expect((await client.call('show', { name: 'web' })).config).toMatchObject({ listen: { port: 8080 } });
    await client.call('undo', {});
    expect(await client.call('list', {})).toEqual([]);
    await expect(client.call('undo', {})).rejects.toMatchObject({ code: 'nothing_to_undo' });
    client.close();
  });

  test('two watchers see the same, and hear of the end', async () => {
    const [one, two] = [await test_.connect(), await test_.connect()];
    const mirrors = [await startMirror(one), await startMirror(two)] as const;
    await one.call('add', { forwards: [local('web', 8080)] });
    await two.call('edit', { name: 'web', patch: { note: 'x' } });
    await until('both mirrors to agree', () =>
      mirrors.every((mirror) => mirror.current().snapshot.forwards.web?.config.note === 'x'),
    );
    expect(mirrors[0].current().snapshot).toEqual(mirrors[1].current().snapshot);
    const bye = new Promise((resolve) => two.on('bye', resolve));
    const closed = new Promise<void>((resolve) => two.onClose(resolve));
    await one.call('stop', {});
    expect(await bye).toEqual({ reason: 'stop' });
    await closed;
  });

  test.skipIf(missing('sshd', 'ssh'))(
    'another keepalive counts for the SSH connections made from then on',
    async () => {
      const sshd = await Sshd.start();
      const client = await test_.connect();
      try {
        const ssh = { configFile: sshd.clientConfig, options: ['carrier=openssh'] };
        const forward = { ...local('web', 0), host: 'box', ssh };
        await client.call('add', { forwards: [forward], up: true });
        const commands = () =>
          readdirSync('/proc')
            .map(commandOf)
            .filter((line) => line.includes(sshd.clientConfig));
        const keepalive = () => commands().flatMap((line) => /ServerAliveInterval=(\d+)/.exec(line)?.[1] ?? []);
        await until('the first connection', () => keepalive().includes('5'));
        await client.call('saveSettings', { patch: { keepaliveSeconds: 77 } });
        expect(keepalive()).toEqual(['5']);
        await client.call('down', { names: ['web'] });
        await until('its end', () => keepalive().length === 0);
        await client.call('up', { names: ['web'] });
        await until('the next connection', () => keepalive().includes('77'));
      } finally {
        client.close();
        await test_.remove();
        await sshd.stop();
      }
    },
  );

  test('SIGTERM leaves no socket and no listener', async () => {
    const client = await test_.connect();
    const { pid } = await client.call('status', {});
    const closed = new Promise<void>((resolve) => client.onClose(resolve));
    process.kill(pid, 'SIGTERM');
    await closed;
    await until('the socket to be gone', () => !existsSync(test_.home.socket));
    await until('the process to be gone', () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  });

  test('a client that sends rubbish disturbs nobody', async () => {
    const client = await test_.connect();
    const rude = net.connect(test_.home.socket);
    rude.on('error', () => {});
    rude.write('GET / HTTP/1.1\r\n\r\nContent-Length: 99999999999\r\n\r\n');
    rude.end();
    expect(await client.call('list', {})).toEqual([]);
    client.close();
  });
});
