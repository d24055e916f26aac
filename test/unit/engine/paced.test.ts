import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { paced } from '../../../src/engine/paced.ts';

test('a task is not done while it runs, nor too often, and rests nine times as long as it took up to a limit', async () => {
  let nowMs = 0;
  let longestMs = 5000;
  let done = () => {};
  let runs = 0;
  const beat = paced(
    () => {
      runs += 1;
      return new Promise((resolve) => {
        done = resolve;
      });
    },
    { now: () => nowMs, everyMs: 800, longestRestMs: () => longestMs },
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
  longestMs = 0;
  await finish(100);
  nowMs += 699;
  beat();
  expect(runs).toBe(3);
  nowMs += 1;
  beat();
  expect(runs).toBe(4);
  await finish(3000);
  beat();
  expect(runs).toBe(5);
});
