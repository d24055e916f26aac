import { describe, expect, test, vi } from 'vitest';
import { repeat } from '../../src/gateways/nftables/repeat.ts';

describe('repeating', () => {
  test('a slow task is not begun again before it is done, and a failed one is tried again', async () => {
    vi.useFakeTimers();
    const begun: PromiseWithResolvers<void>[] = [];
    const stop = repeat(1000, () => {
      const task = Promise.withResolvers<void>();
      begun.push(task);
      return task.promise.catch(() => {});
    });
    try {
      await vi.advanceTimersByTimeAsync(5500);
      expect(begun).toHaveLength(1);
      begun[0]?.reject(new Error('slow and bad'));
      await vi.advanceTimersByTimeAsync(1000);
      expect(begun).toHaveLength(2);
      stop();
      stop();
      begun[1]?.resolve();
      await vi.advanceTimersByTimeAsync(5000);
      expect(begun).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
