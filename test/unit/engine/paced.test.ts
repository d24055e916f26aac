import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { paced } from '../../../src/engine/paced.ts';

test('a task is not done while it runs, and rests nine times as long as it took, five seconds at most', async () => {
  let nowMs = 0;
  let done = () => {};
  let runs = 0;
  const beat = paced(
    () => {
      runs += 1;
      return new Promise((resolve) => {
        done = resolve;
      });
    },
    () => nowMs,
  );
  const finish = async (tookMs: number) => {
    nowMs += tookMs;
    done();
    await turn();
  };
  beat();
  beat();
  expect(runs).toBe(1);
  await finish(100);
  nowMs += 899;
  beat();
  expect(runs).toBe(1);
  nowMs += 1;
  beat();
  expect(runs).toBe(2);
  await finish(3000);
  nowMs += 4999;
  beat();
  expect(runs).toBe(2);
  nowMs += 1;
  beat();
  expect(runs).toBe(3);
});
