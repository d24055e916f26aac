// Who holds a trigger's ports, and until when: the rules of the packet path, for flows the engine sees itself.
// Pure: the caller gives the monotonic time with every call, in order but for what it learns late (`touch`).
import type { TriggerTrial } from '../model/reports.ts';

export interface ClaimRules {
  /** Time without use after which the holder loses it. */
  readonly idleMs: number;
  /** Who has it when a second host calls: the first, until it is over, or the last. */
  readonly second: 'first' | 'last';
  /** Longest time in one go, use or not; null for no limit. */
  readonly maxOpenMs: number | null;
}

/** What became of a call, or of time passing. `closed` and `taken_over` name who lost it. */
export type ClaimOutcome =
  | { readonly is: 'opened'; readonly host: string; readonly byHand: boolean }
  | { readonly is: 'refreshed'; readonly host: string }
  | { readonly is: 'refused'; readonly host: string; readonly holder: string }
  | { readonly is: 'taken_over'; readonly host: string; readonly from: string; readonly byHand: boolean }
  | { readonly is: 'closed'; readonly host: string; readonly why: ClosedWhy };

/** Its time is over, or somebody ended it: for this host, with the rule as it was, or with the trigger. */
export type ClosedWhy = 'idle' | 'max_open' | 'by_hand' | 'changed' | 'taken_down';

export interface Claim {
  readonly host: string;
  /** Monotonic times. */
  readonly openedAt: number;
  readonly expiresAt: number;
}

export class Claims {
  readonly #rules: ClaimRules;
  #idleEnd = 0;
  #hardEnd = Number.POSITIVE_INFINITY;
  #holder: { readonly host: string; readonly openedAt: number } | null = null;

  constructor(rules: ClaimRules) {
    this.#rules = rules;
  }

  /** The holder at `now`; null when its time is over, even if no `tick` has said so yet. */
  current(now: number): Claim | null {
    if (this.#holder === null || now >= this.#expiresAt) return null;
    return { ...this.#holder, expiresAt: this.#expiresAt };
  }

  /** Who has it until `tick` says that it is over; null while nobody has. */
  get holder(): string | null {
    return this.#holder?.host ?? null;
  }

  get #expiresAt(): number {
    return Math.min(this.#idleEnd, this.#hardEnd);
  }

  /** When `tick` is next worth calling; null while nothing is open. */
  get nextTick(): number | null {
    return this.#holder === null ? null : this.#expiresAt;
  }

  /**
   * A host calls out on a trigger port.
   * Call `tick` before, so that an expiry is told; a claim over an expired one opens all the same.
   */
  claim(host: string, now: number): Exclude<ClaimOutcome, { is: 'closed' }> {
    const current = this.current(now);
    if (current === null) {
      this.#take(host, now, this.#rules.idleMs, this.#rules.maxOpenMs);
      return { is: 'opened', host, byHand: false };
    }
    if (current.host === host) {
      this.#use(now);
      return { is: 'refreshed', host };
    }
    if (this.#rules.second === 'first') return { is: 'refused', host, holder: current.host };
    this.#take(host, now, this.#rules.idleMs, this.#rules.maxOpenMs);
    return { is: 'taken_over', host, from: current.host, byHand: false };
  }

  /**
   * Traffic of a host on what is open, or on its own call; only the holder's counts. It is learnt of late, so what was
   * idle to all that was known goes on until `tick` has said that it is over.
   * @param at when it was, at the latest; it may lie in the past
   */
  touch(host: string, at: number): boolean {
    if (this.#holder?.host !== host || at >= this.#hardEnd) return false;
    this.#use(at);
    return true;
  }

  /** Time passes. */
  tick(now: number): Extract<ClaimOutcome, { is: 'closed' }> | null {
    if (this.#holder === null || now < this.#expiresAt) return null;
    return this.#end(now >= this.#hardEnd && this.#hardEnd <= this.#idleEnd ? 'max_open' : 'idle');
  }

  /** A person opens it for a host, for `forMs` and longer if it is used then; whoever held it loses it. */
  openManually(host: string, forMs: number, now: number): Extract<ClaimOutcome, { is: 'opened' | 'taken_over' }> {
    const from = this.current(now)?.host;
    const { maxOpenMs } = this.#rules;
    this.#take(host, now, forMs, maxOpenMs === null ? null : Math.max(maxOpenMs, forMs));
    return from === undefined || from === host
      ? { is: 'opened', host, byHand: true }
      : { is: 'taken_over', host, from, byHand: true };
  }

  close(why: ClosedWhy = 'by_hand'): Extract<ClaimOutcome, { is: 'closed' }> | null {
    return this.#holder === null ? null : this.#end(why);
  }

  /** What a call of `host` would do, without doing it. */
  trial(host: string, now: number): TriggerTrial {
    return trialOf(this.current(now)?.host ?? null, this.#rules.second, host);
  }

  /** Goes on where another engine left off. */
  adopt(claim: Claim): void {
    this.#holder = { host: claim.host, openedAt: claim.openedAt };
    this.#idleEnd = claim.expiresAt;
    const { maxOpenMs } = this.#rules;
    this.#hardEnd =
      maxOpenMs === null ? Number.POSITIVE_INFINITY : Math.max(claim.openedAt + maxOpenMs, claim.expiresAt);
  }

  #take(host: string, now: number, idleMs: number, maxOpenMs: number | null): void {
    this.#holder = { host, openedAt: now };
    this.#idleEnd = now + idleMs;
    this.#hardEnd = maxOpenMs === null ? Number.POSITIVE_INFINITY : now + maxOpenMs;
  }

  /** Use never shortens what a person gave. */
  #use(now: number): void {
    this.#idleEnd = Math.max(this.#idleEnd, now + this.#rules.idleMs);
  }

  #end(why: ClosedWhy): Extract<ClaimOutcome, { is: 'closed' }> {
    const host = this.#holder?.host ?? '';
    this.#holder = null;
    return { is: 'closed', host, why };
  }
}

/** What a call of `host` would do while `holder` has it. */
export function trialOf(holder: string | null, second: ClaimRules['second'], host: string): TriggerTrial {
  if (holder === null) return { would: 'open', why: 'nobody holds it' };
  if (holder === host) return { would: 'refresh', why: `${host} holds it already` };
  return second === 'first'
    ? { would: 'refuse', why: `${holder} holds it until it is idle` }
    : { would: 'take_over', why: `the last caller has it, and ${holder} holds it now` };
}
