import type { Failure } from '../../model/errors.ts';
import type { ListenerStatus } from '../../model/state.ts';
import type { GatewayReports } from '../gateway.ts';

/** Last status of each owner: reported when it changes, with the time it opened kept. */
export class Statuses {
  readonly #reports: GatewayReports;
  readonly #last = new Map<string, ListenerStatus>();

  constructor(reports: GatewayReports) {
    this.#reports = reports;
  }

  set(owner: string, status: ListenerStatus): void {
    // A failure is told again after every try: whoever asked for it waits for the outcome.
    if (status.is !== 'failed' && JSON.stringify(this.#last.get(owner)) === JSON.stringify(status)) return;
    this.#last.set(owner, status);
    this.#reports.status(owner, status);
  }

  open(owner: string, at: string, notice: Failure | null): void {
    const last = this.#last.get(owner);
    const since = last?.is === 'open' && last.at === at ? last.since : new Date().toISOString();
    this.set(owner, notice === null ? { is: 'open', at, since } : { is: 'open', at, since, notice });
  }

  /** Forgets owners no longer wanted, and says they are closed. */
  keep(owners: ReadonlySet<string>): void {
    for (const owner of [...this.#last.keys()]) {
      if (owners.has(owner)) continue;
      this.set(owner, { is: 'closed' });
      this.#last.delete(owner);
    }
  }
}
