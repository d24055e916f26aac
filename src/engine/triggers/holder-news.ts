import { parseDuration } from '../../model/duration.ts';
import type { TriggerHistory } from '../../model/snapshot.ts';
import type { ClaimOutcome, ClosedWhy } from '../../triggers/claims.ts';

export interface HolderNewsOptions {
  readonly onSeen: (name: string, item: TriggerHistory) => void;
  /** The holder used it; told now and then, not every time. */
  readonly onRefreshed: (name: string, host: string) => void;
}

const turnedAwayEveryMs = 60_000;
const refreshToldEveryMs = 30_000;

/** What is told of who holds one trigger: all that changes, and of what goes on only so much that it fills no log. */
export class HolderNews {
  readonly #trigger: { readonly name: string; readonly idle: string };
  readonly #options: HolderNewsOptions;
  #refreshToldAt = Number.NEGATIVE_INFINITY;
  /** When each host was last told to be turned away. */
  readonly #turnedAway = new Map<string, number>();

  constructor(trigger: { readonly name: string; readonly idle: string }, options: HolderNewsOptions) {
    this.#trigger = trigger;
    this.#options = options;
  }

  /** @param now ms of a clock that never goes back */
  tell(outcome: ClaimOutcome, now: number): void {
    switch (outcome.is) {
      case 'opened':
        this.#seen('opened', outcome.host, outcome.byHand ? 'by hand' : 'it called out');
        break;
      case 'taken_over':
        this.#seen('taken_over', outcome.host, `from ${outcome.from}${outcome.byHand ? ', by hand' : ''}`);
        break;
      case 'refused':
        this.#refused(outcome.host, outcome.holder, now);
        break;
      case 'closed':
        this.#seen('closed', outcome.host, this.#reason(outcome.why));
        break;
      case 'refreshed':
        this.refreshed(outcome.host, now);
        break;
    }
  }

  refreshed(host: string, now: number): void {
    if (now - this.#refreshToldAt < refreshToldEveryMs) return;
    this.#refreshToldAt = now;
    this.#options.onRefreshed(this.#trigger.name, host);
  }

  #refused(host: string, holder: string, now: number): void {
    const last = this.#turnedAway.get(host);
    if (last !== undefined && now - last < turnedAwayEveryMs) return;
    if (this.#turnedAway.size > 1000) this.#turnedAway.clear();
    this.#turnedAway.set(host, now);
    this.#seen('refused', host, `${holder} holds it`);
  }

  #reason(why: ClosedWhy): string {
    return {
      idle: `idle for ${parseDuration(this.#trigger.idle) / 1000} s`,
      max_open: 'its longest time is over',
      by_hand: 'by hand',
      changed: 'its rule was changed',
      taken_down: 'it was taken down',
    }[why];
  }

  #seen(what: TriggerHistory['what'], host: string, why: string): void {
    this.#options.onSeen(this.#trigger.name, { at: new Date().toISOString(), host, what, why });
  }
}
