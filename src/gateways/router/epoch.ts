/** A server's count of seconds since it last lost its mappings, and when it was seen. */
export interface Epoch {
  readonly seconds: number;
  readonly seenMs: number;
}

/**
 * Whether the server has lost its mappings between two sightings: its clock went back, or stood behind ours more than
 * drift explains. PCP also takes a clock far ahead for a loss (RFC 6887 section 8.5, 1 in 16); NAT-PMP allows 1 in 8
 * and looks downward only (RFC 6886 section 3.6).
 */
export function stateLost(rules: 'pcp' | 'nat-pmp', before: Epoch, after: Epoch): boolean {
  const client = Math.max(0, (after.seenMs - before.seenMs) / 1000);
  const server = after.seconds - before.seconds;
  if (rules === 'nat-pmp') return server + 2 < client * (7 / 8);
  return server < -1 || server + 2 < client * (15 / 16) || client + 2 < server * (15 / 16);
}
