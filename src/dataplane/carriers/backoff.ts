export const firstDelayMs = 500;
export const maxDelayMs = 60_000;

/**
 * Milliseconds to wait before try `attempt` + 1, `attempt` counted from 1. The ceiling doubles to a minute, and the
 * delay is drawn evenly from all below it (full jitter), so a hundred links that fell together don't come back
 * together; never under half a second, so nothing spins.
 * @param random in [0, 1)
 */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt, 20));
  return Math.round(firstDelayMs + random * (ceiling - firstDelayMs));
}
