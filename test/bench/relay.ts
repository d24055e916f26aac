// The relay against haproxy, rinetd and socat, each with its defaults, in one run on one machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { counterBytes } from '../../src/dataplane/counters.ts';
import type { WorkerEvent } from '../../src/dataplane/messages.ts';
import { Mapping } from '../../src/model/config.ts';
import { root } from '../support/global-setup.ts';
import { freePort } from '../support/ports.ts';
import { findTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { bulk, datagrams, iperfServer, listening } from './_iperf.ts';
import { inTurn, printHead, printRow } from './_table.ts';

const names = ['sallyport', 'haproxy', 'rinetd', 'socat'] as const;
type Name = (typeof names)[number];
const rounds = 3;
const atOnce = 32;
const connectSeconds = 2;
const datagramBytes = 200;

/** The ports on which each relays to the same target. */
type Ports = Record<Name, number>;

const children: ChildProcess[] = [];
const launch = (program: string, args: readonly string[]) => {
  const binary = findTool(program);
  if (binary === null) throw new Error(`the bench needs ${program}`);
  children.push(spawn(binary, args, { stdio: ['ignore', 'ignore', 'ignore'] }));
};

async function relays(dir: string, worker: Worker, target: number): Promise<Ports> {
  const ports = { sallyport: 0, haproxy: 0, rinetd: 0, socat: 0 };
  for (const name of names) ports[name] = await freePort();
  const conf = (name: string) => path.join(dir, `${name}-${target}.conf`);

  const forward = Mapping.parse({
    kind: 'mapping',
    name: `bench-${target}`,
    proto: 'both',
    listen: { port: ports.sallyport },
    target: { host: '127.0.0.1', port: target },
  });
  const counters = new SharedArrayBuffer(counterBytes);
  worker.postMessage({ do: 'start', runnable: { id: forward.name, forward, link: null, counters, probeMs: null } });

  writeFileSync(
    conf('haproxy'),
    `global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen bench
  bind 127.0.0.1:${ports.haproxy}
  server target 127.0.0.1:${target}
`,
  );
  launch('haproxy', ['-db', '-f', conf('haproxy')]);

  const rule = (proto: string) => `127.0.0.1 ${ports.rinetd}/${proto} 127.0.0.1 ${target}/${proto}`;
  writeFileSync(conf('rinetd'), `${rule('tcp')}\n${rule('udp')}\n`);
  launch('rinetd', ['-f', '-c', conf('rinetd')]);

  launch('socat', [`TCP-LISTEN:${ports.socat},bind=127.0.0.1,reuseaddr,fork`, `TCP:127.0.0.1:${target}`]);
  launch('socat', [`UDP-LISTEN:${ports.socat},bind=127.0.0.1,reuseaddr,fork`, `UDP:127.0.0.1:${target}`]);
  for (const port of Object.values(ports)) await listening(port);
  return ports;
}

/** A server that answers and hangs up, cheaper than what is measured. */
async function shortAnswers(dir: string): Promise<number> {
  const port = await freePort();
  const conf = path.join(dir, 'answers.conf');
  writeFileSync(
    conf,
    `defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen answers
  bind 127.0.0.1:${port} backlog 4096
  http-request return status 200 content-type text/plain string ok
`,
  );
  launch('haproxy', ['-db', '-f', conf]);
  await listening(port);
  return port;
}

/** Connections a second: each asks once, reads to the end, and makes place for the next. */
async function connections(port: number): Promise<number> {
  const until = performance.now() + connectSeconds * 1000;
  let served = 0;
  const one = () =>
    new Promise<void>((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1' });
      let heard = false;
      socket.on('error', () => {});
      socket.on('data', () => {
        heard = true;
      });
      socket.on('close', () => {
        if (heard) served += 1;
        resolve();
      });
      socket.write('GET / HTTP/1.0\r\n\r\n');
    });
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < until) await one();
    }),
  );
  return served / connectSeconds;
}

export async function run(): Promise<void> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-bench-'));
  const worker = new Worker(path.join(root, 'dist/worker.js'));
  const complaints: WorkerEvent[] = [];
  worker.on('message', (event: WorkerEvent) => {
    if (event.on === 'note') complaints.push(event);
  });
  try {
    const iperf = await iperfServer();
    const streams = await relays(dir, worker, iperf.port);
    const answers = await relays(dir, worker, await shortAnswers(dir));

    printHead(names);
    for (const [label, way] of [
      ['bulk, to the target', 'up'],
      ['bulk, back', 'down'],
    ] as const) {
      printRow(label, 'Gbit/s', await inTurn(names, rounds, (name) => bulk(streams[name as Name], way)));
    }
    printRow('new connections', '1/s', await inTurn(names, rounds, (name) => connections(answers[name as Name])));
    printRow(
      `UDP, ${datagramBytes} bytes`,
      '1/s',
      await inTurn(names, rounds, async (name) =>
        name === 'haproxy'
          ? null
          : datagrams(streams[name as Name], datagramBytes).catch((error: Error) => {
              console.log(`${name}: no figure in this round: ${error.message}`);
              return null;
            }),
      ),
    );
    console.log('ratio: sallyport to the best of the others, best of three rounds each');
    for (const complaint of complaints) console.log('note:', JSON.stringify(complaint));
    iperf.stop();
  } finally {
    for (const child of children) child.kill('SIGKILL');
    worker.postMessage({ do: 'shutdown' });
    await until('the worker to end', () => worker.threadId === -1);
    rmSync(dir, { recursive: true });
  }
}
