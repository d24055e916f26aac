import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lifeline } from '../../src/dataplane/carriers/openssh/lifeline.ts';
import { until } from '../support/until.ts';

let dir: string;
let server: net.Server;
let received: Buffer;
let peer: net.Socket | null;

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'lifeline-'));
  received = Buffer.alloc(0);
  peer = null;
  server = net.createServer((socket) => {
    peer = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
  });
  await new Promise<void>((resolve) => server.listen(path.join(dir, 'ctl'), resolve));
});
afterEach(() => {
  peer?.destroy();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

const alive = (id: number) => Buffer.from([0, 0, 0, 12, 0x80, 0, 0, 5, 0, 0, 0, id, 0, 0, 0, 99]);
const hello = Buffer.from([0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4]);

test('asks, and takes the answer byte by byte and out of order', async () => {
  const lifeline = new Lifeline(path.join(dir, 'ctl'));
  expect(await lifeline.opened).toBe(true);
  const settled: number[] = [];
  const first = lifeline.check().then((yes) => settled.push(yes ? 1 : -1));
  const second = lifeline.check().then((yes) => settled.push(yes ? 2 : -2));
  await until('both questions', () => received.length === 12 + 2 * 12);
  expect(received.subarray(0, 12)).toEqual(hello);
  expect(received.subarray(12, 24)).toEqual(Buffer.from([0, 0, 0, 8, 0x10, 0, 0, 4, 0, 0, 0, 1]));
  for (const byte of Buffer.concat([hello, alive(2)])) peer?.write(Buffer.from([byte]));
  await second;
  expect(settled).toEqual([2]);
  peer?.write(alive(1));
  await first;
  expect(settled).toEqual([2, 1]);
  lifeline.close();
});

test('a master that goes answers no to all', async () => {
  const lifeline = new Lifeline(path.join(dir, 'ctl'));
  await lifeline.opened;
  const check = lifeline.check();
  await until('the question', () => received.length > 12);
  peer?.destroy();
  expect(await check).toBe(false);
  expect(await lifeline.check()).toBe(false);
  expect(lifeline.alive).toBe(false);
});

test('what is no control socket is not alive', async () => {
  const nobody = new Lifeline(path.join(dir, 'nobody'));
  expect(await nobody.opened).toBe(false);
  const lifeline = new Lifeline(path.join(dir, 'ctl'));
  await lifeline.opened;
  const check = lifeline.check();
  await until('the question', () => peer !== null);
  peer?.write('SSH-2.0-something else\r\n');
  expect(await check).toBe(false);
});
