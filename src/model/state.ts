import type { Failure } from './errors.ts';

/** How the listening side of a forward does. For kernel and router mappings: the rule or the lease. */
export type ListenerStatus =
  | { readonly is: 'closed' }
  | { readonly is: 'opening' }
  /** `at` as shown to people; `since` ISO time. `notice`: works, but something should be known. */
  | { readonly is: 'open'; readonly at: string; readonly since: string; readonly notice?: Failure }
  /** `nextTry` ISO time. */
  | { readonly is: 'retrying'; readonly error: Failure; readonly nextTry: string }
  | { readonly is: 'failed'; readonly error: Failure };

/** How a link (an SSH connection) does. */
export type LinkStatus =
  | { readonly is: 'idle' }
  /** `after`: why the connection before this one ended, while it has not been up again. */
  | { readonly is: 'connecting'; readonly after?: Failure }
  | {
      readonly is: 'up';
      readonly since: string;
      /** Address and port of the peer, as connected. */
      readonly address: string;
      readonly cipher: string;
      readonly kex: string;
      readonly serverVersion: string;
      /** Of the last keepalive; null before the first. */
      readonly rttMs: number | null;
    }
  | { readonly is: 'waiting'; readonly error: Failure; readonly prompt: string | null }
  | { readonly is: 'retrying'; readonly error: Failure; readonly nextTry: string; readonly attempt: number }
  | { readonly is: 'failed'; readonly error: Failure };

/** What the end-to-end probe last said; null where none has run. */
export type ProbeStatus =
  | { readonly ok: true; readonly at: string; readonly ms: number }
  | { readonly ok: false; readonly at: string; readonly error: Failure }
  | null;

export const forwardStates = ['off', 'starting', 'up', 'waiting', 'retrying', 'failed', 'degraded'] as const;
export type ForwardState = (typeof forwardStates)[number];

export interface Derived {
  readonly state: ForwardState;
  readonly error: Failure | null;
  readonly nextTry: string | null;
  /** ISO time from which it has been up; null otherwise. */
  readonly since: string | null;
}

const plain = (state: ForwardState): Derived => ({ state, error: null, nextTry: null, since: null });

/**
 * The one state of a forward, from what is wanted and what is.
 * @param link null for forwards without an SSH host
 */
export function deriveState(
  enabled: boolean,
  listener: ListenerStatus,
  link: LinkStatus | null,
  probe: ProbeStatus,
): Derived {
  if (!enabled) return plain('off');
  if (listener.is === 'failed') return { ...plain('failed'), error: listener.error };
  if (link?.is === 'failed') return { ...plain('failed'), error: link.error };
  if (link?.is === 'waiting') return { ...plain('waiting'), error: link.error };
  if (link?.is === 'retrying') return { ...plain('retrying'), error: link.error, nextTry: link.nextTry };
  if (link?.is === 'connecting' && link.after !== undefined) return { ...plain('retrying'), error: link.after };
  if (listener.is === 'retrying') return { ...plain('retrying'), error: listener.error, nextTry: listener.nextTry };
  if (listener.is !== 'open' || (link !== null && link.is !== 'up')) return plain('starting');
  const since = link?.is === 'up' && link.since > listener.since ? link.since : listener.since;
  if (probe !== null && !probe.ok) return { ...plain('degraded'), error: probe.error, since };
  return { ...plain('up'), error: listener.notice ?? null, since };
}
