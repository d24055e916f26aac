// Bulk throughput of a local forward against `ssh -L`, each with its defaults, to one real sshd.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../support/global-setup.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { bulk, iperfServer, listening } from './_iperf.ts';
import { inTurn, printHead, printRow } from './_table.ts';

const names = ['sallyport', 'ssh -L'] as const;
const rounds = 4;

export async function run(): Promise<void> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'sallyport-bench-'));
  const env = { ...process.env, SALLYPORT_HOME: home };
  const sallyport = (...args: string[]) => promisify(execFile)(path.join(root, 'bin/sallyport'), args, { env });
  const sshd = await Sshd.start();
  const iperf = await iperfServer();
  const ports = { sallyport: await freePort(), 'ssh -L': await freePort() };
  const spec = (name: (typeof names)[number]) => `${ports[name]}:127.0.0.1:${iperf.port}`;
  const ssh = spawn('ssh', ['-N', '-F', sshd.clientConfig, '-L', spec('ssh -L'), 'box'], { stdio: 'ignore' });
  try {
    await sallyport('add', 'bulk', 'box', '-F', sshd.clientConfig, '-L', spec('sallyport'), '--up');
    const shown = JSON.parse((await sallyport('show', 'bulk', '--json')).stdout) as { state: string; via: string };
    if (shown.state !== 'up') throw new Error(`not up: ${JSON.stringify(shown)}`);
    for (const port of Object.values(ports)) await listening(port);

    console.log(`over ${shown.via}`);
    printHead(names);
    for (const [label, way] of [
      ['to the target', 'up'],
      ['back', 'down'],
    ] as const) {
      const values = await inTurn(names, rounds, (name) => bulk(ports[name as keyof typeof ports], way));
      printRow(label, 'Gbit/s', values);
    }
    console.log(`ratio: sallyport to ssh -L, best of ${rounds} rounds each`);
  } finally {
    ssh.kill();
    iperf.stop();
    await sallyport('engine', 'stop').catch((error: Error) => console.error(error.message));
    await sshd.stop();
    rmSync(home, { recursive: true, force: true });
  }
}
