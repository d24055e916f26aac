// The built worker in a real thread.
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { counterBytes, readCounters } from '../../src/dataplane/counters.ts';
import type { Command, WorkerEvent } from '../../src/dataplane/messages.ts';
import { Mapping } from '../../src/model/config.ts';
import { root } from '../support/global-setup.ts';
import { ask, connect, echo, fate, type Server, serve } from '../support/plane.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

let worker: Worker;
const events: WorkerEvent[] = [];
const servers: Server[] = [];

beforeEach(() => {
  events.length = 0;
  worker = new Worker(path.join(root, 'dist/worker.js'));
  worker.on('message', (event: WorkerEvent) => events.push(event));
});
afterEach(async () => {
  await worker.terminate();
  for (const server of servers.splice(0)) server.close();
});

const send = (command: Command) => worker.postMessage(command);
function start(id: string, port: number, target: number): SharedArrayBuffer {
  const counters = new SharedArrayBuffer(counterBytes);
  const forward = Mapping.parse({
    kind: 'mapping',
    name: id,
    listen: { port },
    target: { host: '127.0.0.1', port: target },
  });
  send({ do: 'start', runnable: { id, forward, link: null, counters, probeMs: null } });
  return counters;
}
const status = (id: string) =>
  until(`${id} to open or fail`, () => {
    const last = events.findLast((event) => event.on === 'listener' && event.id === id);
    return last?.on === 'listener' && last.status.is !== 'opening' ? last.status : null;
  });

test('carries, counts into shared memory, and leaves nothing when shut down', async () => {
  const target = await echo();
  servers.push(target);
  const port = await freePort();
  const counters = start('m', port, target.port);
  expect(await status('m')).toMatchObject({ is: 'open' });
  expect(await ask(port, 'through a thread')).toBe('through a thread');
  expect(readCounters(counters)).toMatchObject({ rx: 16, tx: 16, flowsTotal: 1 });
  const held = connect(port);
  held.write('x');
  await once(held, 'data');
  const ended = fate(held);
  const gone = once(worker, 'exit');
  send({ do: 'shutdown' });
  expect(await gone).toEqual([0]);
  expect(events.at(-1)).toEqual({ on: 'bye' });
  expect(await ended).toBe('ECONNRESET');
  expect(await fate(connect(port))).toBe('ECONNREFUSED');
});

test('names the program that holds a port, and goes on with the others', async () => {
  const holder = await serve(() => {});
  servers.push(holder);
  start('taken', holder.port, 1);
  expect(await status('taken')).toMatchObject({
    is: 'failed',
    error: { code: 'port_taken', message: expect.stringContaining(`pid ${process.pid}`) },
  });
  const target = await echo();
  servers.push(target);
  const port = await freePort();
  start('free', port, target.port);
  await status('free');
  expect(await ask(port, 'x')).toBe('x');
});

test('a forward without its link fails alone', async () => {
  const counters = new SharedArrayBuffer(counterBytes);
  const forward = { kind: 'local', name: 'l', host: 'h', listen: { port: 0 }, target: { host: 'h', port: 1 } } as never;
  send({ do: 'start', runnable: { id: 'l', forward, link: 'nothing', counters, probeMs: null } });
  expect(await status('l')).toMatchObject({ is: 'failed', error: { code: 'internal' } });
});
