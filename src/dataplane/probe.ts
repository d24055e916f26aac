import { performance } from 'node:perf_hooks';
import { SallyportError } from '../model/errors.ts';
import type { ProbeStatus } from '../model/state.ts';
import type { Link } from './carriers/carrier.ts';
import type { RunningForward } from './forwards/context.ts';

/** A way that is new is tried soon, so that a dead target is seen early. */
const firstMs = 2000;
/** A way that failed is tried again sooner, so that its recovery is seen soon. */
const afterFailureMs = 10_000;
const timeoutMs = 10_000;

/** Tries a way through soon after it is there and every so often from then on, and tells when the outcome changes. */
export class Prober {
  private readonly forward: Pick<RunningForward, 'probe'>;
  private readonly everyMs: number;
  private readonly link: Link | null;
  private readonly report: (status: ProbeStatus) => void;
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  private unwatch: () => void = () => {};
  private last: boolean | null = null;

  /** @param link what the forward runs over: while it is away there is nothing to try */
  constructor(
    forward: Pick<RunningForward, 'probe'>,
    everyMs: number,
    link: Link | null,
    report: (status: ProbeStatus) => void,
  ) {
    this.forward = forward;
    this.everyMs = everyMs;
    this.link = link;
    this.report = report;
  }

  start(): void {
    if (this.stopping.signal.aborted) return;
    this.unwatch =
      this.link?.onUp(() => {
        // What was found out is not sure to hold for the next connection.
        if (this.last !== null) this.report(null);
        this.last = null;
        this.schedule(firstMs);
      }) ?? this.unwatch;
    this.schedule(firstMs);
  }

  /** Can be called twice. */
  stop(): void {
    this.stopping.abort();
    this.unwatch();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private schedule(waitMs: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.stopping.signal.aborted) return;
    const timer = setTimeout(
      () => {
        void this.tryOnce().then(() => {
          // Unless the link has come back meanwhile, which made another plan.
          if (this.timer === timer) this.schedule(this.last === true ? this.everyMs : afterFailureMs);
        });
      },
      Math.min(waitMs, this.everyMs),
    ).unref();
    this.timer = timer;
  }

  private async tryOnce(): Promise<void> {
    if (this.link?.up === false || this.stopping.signal.aborted) return;
    const limit = new AbortController();
    const timer = setTimeout(() => {
      limit.abort(new SallyportError('target_timeout', `no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    const stop = () => limit.abort(this.stopping.signal.reason);
    this.stopping.signal.addEventListener('abort', stop, { once: true });
    const began = performance.now();
    let error: unknown = null;
    try {
      const trial = this.forward.probe(limit.signal);
      if (trial === null) return;
      await trial;
    } catch (thrown) {
      error = thrown;
    } finally {
      clearTimeout(timer);
      this.stopping.signal.removeEventListener('abort', stop);
    }
    if (this.stopping.signal.aborted || (error instanceof SallyportError && error.code === 'host_lost')) return;
    this.tell(error, Math.round(performance.now() - began));
  }

  private tell(error: unknown, ms: number): void {
    const ok = error === null;
    if (this.last === ok) return;
    this.last = ok;
    const at = new Date().toISOString();
    const hint = error instanceof SallyportError ? error.hint : '';
    this.report(
      ok ? { ok, at, ms } : { ok, at, error: { code: 'probe_failed', message: (error as Error).message, hint } },
    );
  }
}
