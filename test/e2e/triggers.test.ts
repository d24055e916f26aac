// Triggers through the built program without privileges: by the engine's own flows, and on the far side of an SSH server.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net, { type Server } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { askFrom, loopbackHosts, portFreeOn, talker } from '../support/loopback-ground.ts';
import { freePort } from '../support/ports.ts';
import { type ProgramHome, programHome, runUnder } from '../support/program.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { triggerCases } from '../support/trigger-cases.ts';
import { answers, events, type Ground, type Inside, must, opened, show } from '../support/trigger-ground.ts';
import { until } from '../support/until.ts';

const idOf = (what: '-u' | '-g') => Number(execFileSync('id', [what, 'nobody'], { encoding: 'utf8' }));
const [nobody, nogroup] = [idOf('-u'), idOf('-g')];

/** The same cases without privileges; the inside hosts are two addresses of the loopback. */
describe.skipIf(missing('sshd', 'ssh') || process.getuid?.() !== 0)(
  'by the flows of the engine, as an ordinary user',
  () => {
    let sshd: Sshd;
    let home: ProgramHome;
    let irc: Server;
    let ports: { irc: number; open: number; forward: number };
    const servers: Server[] = [];
    const prefix = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'];
    const run = (words: readonly string[]) => runUnder(prefix, home, words);
    const from = (answer: string | null) =>
      answer === null ? null : answer.startsWith('second ') ? ('second' as const) : ('first' as const);
    const inbound = async () => from(await askFrom('127.0.0.1', ports.open));
    const trigger = () => ['--on', `tcp/${ports.irc}`, '--open', `tcp/${ports.open}`];

    beforeAll(async () => {
      sshd = await Sshd.start();
      // What the user reads is the user's.
      for (const file of [sshd.dir, sshd.key, sshd.clientConfig, sshd.knownHosts]) chownSync(file, nobody, nogroup);
    });
    beforeEach(async () => {
      home = programHome();
      chownSync(home.dir, nobody, nogroup);
      home.env.HOME = home.dir;
      const all = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
      ports = { irc: await freePort(), open: await portFreeOn(all), forward: await freePort() };
      irc = await talker('127.0.0.1', ports.irc, 'irc');
      servers.push(irc);
      for (const host of ['first', 'second'] as const)
        servers.push(await talker(loopbackHosts[host], ports.open, host));
    });
    afterEach(async () => {
      await home.remove();
      for (const server of servers.splice(0)) server.close();
    });
    afterAll(() => sshd?.stop());

    const socks = () =>
      must({ run }, 'add', 'proxy', 'box', '-F', sshd.clientConfig, '-D', `127.0.0.1:${ports.forward}`, '--up');
    const local = () =>
      must(
        { run },
        'add',
        'proxy',
        'box',
        '-F',
        sshd.clientConfig,
        '-L',
        `127.0.0.1:${ports.forward}:127.0.0.1:${ports.irc}`,
        '--up',
      );
    const relay = () => must({ run }, 'map', 'proxy', String(ports.forward), `127.0.0.1:${ports.irc}`, '--up');
    const through = (to?: { host: string; port: number }) => async (host: Inside) => {
      expect(await askFrom(loopbackHosts[host], ports.forward, to)).toBe('irc hello');
    };

    describe.each([
      { source: 'SOCKS', opens: 'a relay', start: socks, via: 'relay', proxy: true },
      { source: 'a relay', opens: 'a relay', start: relay, via: 'relay', proxy: false },
      { source: 'SOCKS', opens: 'a port of the SSH server', start: socks, via: 'remote', proxy: true },
      { source: 'a local forward', opens: 'a port of the SSH server', start: local, via: 'remote', proxy: false },
    ])('$source calls, $opens opens', ({ start, via, proxy }) => {
      let at: Ground;
      beforeEach(async () => {
        await start();
        const to = proxy ? { host: '127.0.0.1', port: ports.irc } : undefined;
        at = { address: loopbackHosts, flags: [...trigger(), '--via', via], run, call: through(to), inbound };
      });
      triggerCases(() => at);
    });

    describe('whatever the source', () => {
      const at = (call: Ground['call']): Ground => ({ address: loopbackHosts, flags: trigger(), run, call, inbound });
      const row = async () =>
        (await must({ run }, 'ls', '--json')).json<ForwardView[]>().find(({ name }) => name === 'irc');

      test('a killed engine: what has time left is adopted with it, what has none stays closed', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '15s', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const before = await until('the opening', async () => (await opened(ground))[0]);
        process.kill(await home.enginePid(), 'SIGKILL');
        await until('it to be gone', async () => (await inbound()) === null);
        const after = (await row())?.opened[0];
        expect(after).toMatchObject({ host: loopbackHosts.first });
        expect(Math.abs(Date.parse(after?.expiresAt ?? '') - Date.parse(before.expiresAt))).toBeLessThan(1500);
        await answers(ground, 'first');
        await until('an end', async () => (await opened(ground)).length === 0, { timeoutMs: 30_000 });
        expect(await inbound()).toBeNull();

        await must(ground, 'edit', 'irc', '--idle', '1s');
        await ground.call('second');
        const ends = Date.parse((await until('the opening', async () => (await opened(ground))[0])).expiresAt);
        process.kill(await home.enginePid(), 'SIGKILL');
        await until('its time to be over', () => Date.now() > ends + 1000);
        expect((await row())?.opened).toEqual([]);
        expect(await inbound()).toBeNull();
      });

      test('a killed engine opens the port of the SSH server again once it is connected', async () => {
        await socks();
        const ground = at(through({ host: '127.0.0.1', port: ports.irc }));
        await must(ground, 'trigger', 'irc', ...trigger(), '--via', 'remote', '--idle', '60s', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        await until('the opening to be kept', async () => (await opened(ground)).length === 1);
        process.kill(await home.enginePid(), 'SIGKILL');
        await until('it to be gone', async () => (await inbound()) === null);
        expect((await row())?.opened).toMatchObject([{ host: loopbackHosts.first }]);
        await answers(ground, 'first');
        await must(ground, 'close', 'irc');
        await answers(ground, null);
      });

      test('connections of a former holder go on, and do not keep it open for the new one', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '2s', '--second', 'last', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const old = net.connect(ports.open, '127.0.0.1');
        const beat = setInterval(() => old.write('.'), 100);
        try {
          expect(String((await once(old, 'data'))[0])).toBe('first ');
          await ground.call('second');
          await until('a new holder', async () => (await opened(ground))[0]?.host === loopbackHosts.second);
          await until('it to close', async () => (await opened(ground)).length === 0, { timeoutMs: 8000 });
          await once(old, 'data');
          expect((await must(ground, 'show', 'irc', '--json')).json<ForwardView>().flows).toBe(1);
        } finally {
          clearInterval(beat);
          old.destroy();
        }
      });

      test('--close-flows cuts what still runs', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '2s', '--close-flows', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const quiet = net.connect(ports.open, '127.0.0.1');
        quiet.on('error', () => {}).resume();
        await new Promise((resolve) => quiet.once('close', resolve));
        expect(await opened(ground)).toEqual([]);
      });

      test('who may not use the forward opens nothing, and what comes in is no call out', async () => {
        await must(
          { run },
          'map',
          'proxy',
          String(ports.forward),
          `127.0.0.1:${ports.irc}`,
          '--allow',
          '127.0.0.2',
          '--up',
        );
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '60s', '--up');
        // Its trigger port is the very port the first one opens.
        await must(ground, 'trigger', 'next', '--on', `tcp/${ports.open}`, '--open', `tcp/${await freePort()}`, '--up');
        expect(await askFrom(loopbackHosts.second, ports.forward)).toBeNull();
        expect(await opened(ground)).toEqual([]);
        await ground.call('first');
        await answers(ground, 'first');
        expect((await opened(ground))[0]?.host).toBe(loopbackHosts.first);
        expect(await opened(ground, 'next')).toEqual([]);
      });

      test('nothing opens towards this machine itself, where a relay would lead back to itself', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '30s', '--up');
        expect(await askFrom('127.0.0.1', ports.forward)).toBe('irc hello');
        const told = await until('the word of it', async () => (await show(ground)).error);
        expect(told.message).toBe('a relay on 127.0.0.1 towards 127.0.0.1 would lead back to itself');
        expect(await inbound()).toBeNull();
        expect(await show(ground)).toMatchObject({ opened: [], flowsTotal: 0, state: 'up' });
        expect((await must(ground, 'trigger', 'irc', '--try', '127.0.0.1', '--json')).json()).toMatchObject({
          would: 'refuse',
        });
        expect((await run(['open', 'irc', '--host', '127.0.0.1'])).code).toBe(1);

        // It was taken from nobody.
        await ground.call('first');
        await answers(ground, 'first');
        expect((await show(ground)).error).toBeNull();
      });

      test('a port that another program holds is told, and not shown as open', async () => {
        await relay();
        const ground = at(through());
        const held = await portFreeOn(['127.0.0.1']);
        servers.push(await talker('127.0.0.1', held, 'somebody else'));
        const both = ['--on', `tcp/${ports.irc}`, '--open', `tcp/${ports.open},tcp/${held}`, '--idle', '30s'];
        await must(ground, 'trigger', 'irc', ...both, '--up');
        await ground.call('first');
        await answers(ground, 'first');
        const error = await until('the word of it', async () => (await show(ground)).error);
        const open = await opened(ground);
        expect(error).toMatchObject({ code: 'port_taken', message: expect.stringContaining(`tcp port ${held} `) });
        expect(open).toMatchObject([{ host: loopbackHosts.first, ports: String(ports.open) }]);
        expect(await events(ground)).toContainEqual(
          expect.objectContaining({ level: 'warn', code: 'port_taken', message: error.message }),
        );
        await must(ground, 'close', 'irc');
        expect(await show(ground)).toMatchObject({ state: 'up', error: null, opened: [] });
      });

      test('what opened over an SSH connection that is lost is not open until that is back', async () => {
        await socks();
        const ground = at(through({ host: '127.0.0.1', port: ports.irc }));
        await must(ground, 'trigger', 'irc', ...trigger(), '--via', 'remote', '--idle', '60s', '--up');
        await ground.call('first');
        await answers(ground, 'first');
        await sshd.kill();
        try {
          const lost = await until('the loss', async () => {
            const row = await show(ground);
            return row.error?.code === 'host_lost' && row;
          });
          expect(lost).toMatchObject({ state: 'up', opened: [] });
        } finally {
          await sshd.run();
        }
        await answers(ground, 'first');
        expect(await show(ground)).toMatchObject({ error: null, opened: [{ host: loopbackHosts.first }] });
      });

      test.skipIf(missing('faketime'))(
        'setting the clock closes nothing and keeps nothing open',
        { timeout: 120_000 },
        async () => {
          const clock = path.join(home.dir, 'clock');
          const set = (offset: string) => writeFileSync(clock, offset);
          set('+0');
          const triplet = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
          const faked = [
            'env',
            `LD_PRELOAD=/usr/lib/${triplet}/faketime/libfaketimeMT.so.1`,
            `FAKETIME_TIMESTAMP_FILE=${clock}`,
            'FAKETIME_NO_CACHE=1',
            'FAKETIME_DONT_FAKE_MONOTONIC=1',
          ];
          const ground = {
            ...at(through()),
            run: (words: readonly string[]) => runUnder([...prefix, ...faked], home, words),
          };
          await must(ground, 'map', 'proxy', String(ports.forward), `127.0.0.1:${ports.irc}`, '--up');
          await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '20s', '--up');
          await ground.call('first');
          await answers(ground, 'first');
          const end = async () => Date.parse((await opened(ground))[0]?.expiresAt ?? '');
          const minutes = (ms: number) => Math.round(ms / 60_000);
          const before = await end();
          set('+1h');
          await until('the end by the new clock', async () => minutes((await end()) - before) === 60);
          expect(await inbound()).toBe('first');

          set('-2h');
          await until('the end by that clock', async () => minutes((await end()) - before) === -120);
          process.kill(await home.enginePid(), 'SIGKILL');
          set('+3h');
          expect(minutes((await end()) - before)).toBe(180);
          await answers(ground, 'first');
          await until('it to close', async () => (await opened(ground)).length === 0, { timeoutMs: 40_000 });
          expect(await inbound()).toBeNull();
          await must(ground, 'engine', 'stop');
          for (const name of readdirSync('/dev/shm')) if (/faketime_/.test(name)) rmSync(`/dev/shm/${name}`);
        },
      );

      test('a thousand calls of a host are one claim', async () => {
        await relay();
        const ground = at(through());
        await must(ground, 'trigger', 'irc', ...trigger(), '--idle', '60s', '--up');
        for (let i = 0; i < 20; i++) {
          await Promise.all(Array.from({ length: 50 }, () => askFrom(loopbackHosts.first, ports.forward)));
        }
        expect((await opened(ground))[0]?.host).toBe(loopbackHosts.first);
        const told = (await must(ground, 'events', 'irc', '--json')).stdout.split('\n');
        expect(told.filter((line) => line.includes('"trigger_')).length).toBeLessThanOrEqual(2);
      });

      test('what cannot be, or is taken, is refused by name', async () => {
        const refusal = async (...words: string[]) => {
          const { code, stderr } = await run(words);
          expect(code).toBe(1);
          return stderr;
        };
        await must({ run }, 'trigger', 'irc', ...trigger());
        await must({ run }, 'map', 'web', '8080', '127.0.0.1:80');
        expect(await refusal('trigger', 'a', '--on', 'tcp/1', '--open', 'udp/2000', '--via', 'remote')).toContain(
          'SSH forwards TCP alone',
        );
        expect(await refusal('trigger', 'a', '--on', 'tcp/1', '--open', `tcp/${ports.open}`)).toContain(
          'which irc has',
        );
        expect(await refusal('trigger', 'a', '--on', 'tcp/1', '--open', 'tcp/8000-8100')).toContain('which web has');
        await must({ run }, 'trigger', 'far', '--on', 'tcp/1', '--open', 'tcp/6000', '--via', 'remote');
        expect(await refusal('trigger', 'a', '--on', 'tcp/2', '--open', 'tcp/6000', '--via', 'remote')).toContain(
          'which far has',
        );
        await must({ run }, 'trigger', 'preset', '--preset', 'irc-ident');
        expect((await must({ run }, 'presets')).stdout).toContain('irc-ident');
      });
    });
  },
);
