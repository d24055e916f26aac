import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scan } from '../../src/machine/scan.ts';
import { parseForwardSpec } from '../../src/model/endpoint.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const parse = (words: string[]) => ({
  dest: words.at(-1) ?? '',
  specs: words.flatMap((word, i) => {
    const kind = ({ '-L': 'local', '-R': 'remote', '-D': 'dynamic' } as const)[words[i - 1] ?? ''];
    return kind === undefined ? [] : [parseForwardSpec(kind, word)];
  }),
});

describe.skipIf(missing('ssh', 'sshd', 'ip'))('plain OpenSSH forwards on this machine', () => {
  let sshd: Sshd;
  const children: ChildProcess[] = [];
  const user = os.userInfo().username;
  const ssh = (...args: string[]) => {
    const child = spawn('ssh', ['-F', sshd.clientConfig, ...args, 'box'], { stdio: 'ignore' });
    children.push(child);
    return child;
  };

  beforeAll(async () => {
    sshd = await Sshd.start();
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await sshd.stop();
  });

  test('ssh -N -L with the bytes of its connection, and ssh -R from both sides', async () => {
    const target = net.createServer((socket) =>
      socket.on('error', () => {}).once('data', () => socket.write(Buffer.alloc(5000))),
    );
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    const targetPort = (target.address() as net.AddressInfo).port;
    const [local, remote] = [await freePort(), await freePort()];
    const client = ssh('-N', '-L', `${local}:127.0.0.1:${targetPort}`);
    const far = ssh('-N', '-R', `${remote}:127.0.0.1:${targetPort}`);
    const rowsOf = async () =>
      (await scan(parse, new Set())).filter(
        (row) => row.listen.endsWith(`:${local}`) || row.listen.endsWith(`:${remote}`),
      );
    await until('three rows', async () => {
      const rows = await rowsOf();
      return rows.length === 3 && rows.filter((row) => row.rx !== null).length === 2;
    });

    const socket = net.connect(local, '127.0.0.1');
    socket.write('x'.repeat(300));
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
    });
    await until('the answer', () => got === 5000);
    const rows = await until('counted bytes', async () => {
      const found = await rowsOf();
      return found.some((row) => row.rx === 5000 && row.tx === 300) && found;
    });
    socket.destroy();
    target.close();
    expect(rows).toContainEqual({
      owner: 'ssh',
      kind: 'local',
      listen: `127.0.0.1:${local}`,
      target: `127.0.0.1:${targetPort}`,
      user,
      pid: client.pid,
      rx: 5000,
      tx: 300,
      import: `sallyport import -- ssh -F ${sshd.clientConfig} -N -L ${local}:127.0.0.1:${targetPort} box`,
    });
    expect(rows).toContainEqual(expect.objectContaining({ owner: 'ssh', kind: 'remote', pid: far.pid }));
    expect(rows).toContainEqual(
      expect.objectContaining({
        owner: 'sshd',
        kind: 'remote',
        listen: `127.0.0.1:${remote}`,
        user,
        import: null,
        rx: 0,
      }),
    );
    const ours = await scan(parse, new Set([process.pid]));
    expect(ours.map((row) => row.pid)).not.toContain(client.pid);
  });

  test('a control master and a forward it was given later', async () => {
    const control = `${sshd.dir}/ctl`;
    const [first, later] = [await freePort(), await freePort()];
    const master = ssh('-N', '-M', '-S', control, '-L', `${first}:127.0.0.1:9`);
    await until('the master', () => {
      execFileSync('ssh', ['-S', control, '-O', 'check', 'box'], { stdio: 'ignore' });
      return true;
    });
    execFileSync('ssh', ['-S', control, '-O', 'forward', '-L', `${later}:127.0.0.1:9`, 'box'], { stdio: 'ignore' });
    const rows = await until('both', async () => {
      const found = (await scan(parse, new Set())).filter((row) => row.pid === master.pid);
      return found.length === 2 && found;
    });
    expect(rows).toMatchObject([
      { kind: 'local', listen: `127.0.0.1:${first}`, target: '127.0.0.1:9' },
      { kind: 'local', listen: `127.0.0.1:${later}`, target: null, import: null },
    ]);
  });

  test('a master left in the background, which has given up its command line', async () => {
    const control = `${sshd.dir}/persist`;
    const port = await freePort();
    const forward = ['-L', `${port}:127.0.0.1:9`];
    const persist = ['-o', 'ControlMaster=auto', '-o', 'ControlPersist=60', '-S', control];
    execFileSync('ssh', ['-F', sshd.clientConfig, ...persist, ...forward, 'box', 'true'], { stdio: 'ignore' });
    const row = await until('the master', async () =>
      (await scan(parse, new Set())).find((one) => one.listen === `127.0.0.1:${port}`),
    );
    expect(row).toMatchObject({ owner: 'ssh', kind: 'local', target: null, import: null, user });
    expect(readFileSync(`/proc/${row.pid}/cmdline`, 'utf8')).toContain('[mux]');
    execFileSync('ssh', ['-S', control, '-O', 'exit', 'box'], { stdio: 'ignore' });
  });
});
