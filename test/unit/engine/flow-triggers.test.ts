import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Meter } from '../../../src/engine/meter.ts';
import type { Runs } from '../../../src/engine/runs.ts';
import { createFlowTriggers } from '../../../src/engine/triggers/flow-triggers.ts';
import { Trigger } from '../../../src/model/config.ts';
import type { Opening, TriggerHistory } from '../../../src/model/snapshot.ts';

const first = '192.168.77.10';
const second = '192.168.77.11';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-flow-triggers-'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** A trigger that opens in the kernel for three seconds; what the kernel has counted is read only when it is asked. */
function inKernel(recounted: () => Promise<void> = async () => {}) {
  const meter = new Meter(() => performance.now());
  let bytes = 0;
  let asked = 0;
  let opened: readonly Opening[] = [];
  const told: string[] = [];
  const triggers = createFlowTriggers({
    meter,
    runs: {} as Runs,
    stateFile: path.join(folder, 'triggers.json'),
    watch: () => {},
    setRules: () => {},
    linkDest: () => null,
    async recount() {
      asked += 1;
      await recounted();
      meter.outside('irc', { rx: bytes, tx: 0, flows: 0, flowsTotal: 0 });
    },
    onStatus: () => {},
    onOpened: (_, now) => {
      opened = now;
    },
    onSeen: (_, { what, host }: TriggerHistory) => told.push(`${what} ${host}`),
    onRefreshed: () => {},
  });
  const config = Trigger.parse({
    name: 'irc',
    kind: 'trigger',
    via: 'nftables',
    source: 'flows',
    on: { proto: 'tcp', ports: '6667' },
    open: [{ proto: 'tcp', ports: '113' }],
    idle: '3s',
  });
  triggers.update(new Map([['irc', config]]));
  return {
    told,
    call: (host: string, still = false) =>
      triggers.onCall({ on: 'call', trigger: 'irc', host, proto: 'tcp', port: 6667, count: 1, link: null, still }),
    use: () => {
      bytes += 100;
    },
    holder: () => opened[0]?.host ?? null,
    asked: () => asked,
    stop: triggers.stop,
  };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('use that no look at the counts has found yet keeps it open when its time is over', async () => {
  const at = inKernel();
  at.call(first);
  await pass(2900);
  at.use();
  expect(at.asked()).toBe(0);
  await pass(200);
  expect(at.asked()).toBe(1);
  expect(at.holder()).toBe(first);
  await pass(2800);
  expect(at.holder()).toBe(first);
  await pass(200);
  expect(at.holder()).toBeNull();
  expect(at.told).toEqual([`opened ${first}`, `closed ${first}`]);
  await pass(10_000);
  expect(at.asked()).toBe(2);
});

test('a second host waits for what the counts say', async () => {
  const counted = { ...Promise.withResolvers<void>() };
  const at = inKernel(() => counted.promise);
  at.call(first);
  await pass(2900);
  at.use();
  await pass(150);
  at.call(second);
  await pass(100);
  expect(at.told).toEqual([`opened ${first}`]);
  counted.resolve();
  await pass(1);
  expect(at.told).toEqual([`opened ${first}`, `refused ${second}`]);
  await pass(3100);
  at.call(second);
  expect(at.holder()).toBe(second);
  at.stop();
});

test('counts that do not come prolong nothing', async () => {
  const at = inKernel(() => new Promise(() => {}));
  at.call(first);
  at.use();
  await pass(4400);
  expect(at.told).toEqual([`opened ${first}`]);
  await pass(200);
  expect(at.told).toEqual([`opened ${first}`, `closed ${first}`]);
});

test('a word of the holder about its call counts though it comes after the end, of another host it does not', async () => {
  const counted = { ...Promise.withResolvers<void>() };
  const at = inKernel(() => counted.promise);
  at.call(first);
  await pass(3100);
  at.call(second, true);
  at.call(first, true);
  counted.resolve();
  await pass(2000);
  expect(at.holder()).toBe(first);
  await pass(1100);
  expect(at.holder()).toBeNull();
});
