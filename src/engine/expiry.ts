import type { Config } from '../model/config.ts';

/** Longest delay a timer takes. */
const maxDelayMs = 2 ** 31 - 1;

/** Calls `expired` with the forwards whose `until` has passed while they were up. */
export function createExpiry(expired: (names: string[]) => void) {
  let timer: NodeJS.Timeout | null = null;
  const schedule = (config: Config): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const ends = config.forwards.flatMap(({ name, enabled, until }) =>
      enabled && until !== undefined ? [{ name, atMs: Date.parse(until) }] : [],
    );
    if (ends.length === 0) return;
    const delay = Math.min(...ends.map(({ atMs }) => atMs)) - Date.now();
    timer = setTimeout(
      () => {
        const now = Date.now();
        const over = ends.filter(({ atMs }) => atMs <= now).map(({ name }) => name);
        if (over.length > 0) expired(over);
        else schedule(config);
      },
      Math.max(0, Math.min(delay, maxDelayMs)),
    );
  };
  return {
    schedule,
    stop(): void {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
