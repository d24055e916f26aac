/** Waits for something, but not for longer than this. */
export async function atMost(ms: number, what: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await Promise.race([late, what]);
  } finally {
    clearTimeout(timer);
  }
}
