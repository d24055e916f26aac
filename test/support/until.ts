/** Waits for a condition; the value it gave, once truthy. The error names what was waited for. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 15_000, everyMs = 25 } = {},
): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(
        `waited ${timeoutMs} ms for ${what}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/**
 * Waits until something is over. When it was last there, on the clock of `performance.now()`: when the last look began
 * that found it so, less what the slowest look took. What a busy machine adds to a look is no lateness of what is looked
 * at, and it adds as much to what that has to do.
 */
export async function lastSeen(
  what: string,
  over: () => boolean | Promise<boolean>,
  timeoutMs?: number,
): Promise<number> {
  let seenAt = performance.now();
  let slowestMs = 0;
  await until(
    what,
    async () => {
      const at = performance.now();
      const done = await over();
      slowestMs = Math.max(slowestMs, performance.now() - at);
      if (!done) seenAt = at;
      return done;
    },
    timeoutMs === undefined ? {} : { timeoutMs },
  );
  return seenAt - slowestMs;
}
