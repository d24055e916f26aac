import { performance } from 'node:perf_hooks';
import { SallyportError } from '../model/errors.ts';
import type { ProbeStatus } from '../model/state.ts';
import type { RunningForward } from './forwards/context.ts';

/** A way that failed is tried again sooner, so that its recovery is seen soon. */
const afterFailureMs = 10_000;
const timeoutMs = 10_000;

/** Tries a way through every so often, and tells when the outcome changes. */
export class Prober {
  private readonly forward: RunningForward;
  private readonly everyMs: number;
  private readonly usable: () => Promise<boolean>;
  private readonly report: (status: ProbeStatus) => void;
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  private last: boolean | null = null;

  /** @param usable whether there is anything to try: false while the link is away */
  constructor(
    forward: RunningForward,
    everyMs: number,
    usable: () => Promise<boolean>,
    report: (status: ProbeStatus) => void,
  ) {
    this.forward = forward;
    this.everyMs = everyMs;
    this.usable = usable;
    this.report = report;
  }

  start(): void {
    if (this.stopping.signal.aborted) return;
    const waitMs = this.last === false ? Math.min(this.everyMs, afterFailureMs) : this.everyMs;
    this.timer = setTimeout(() => {
      void this.tryOnce().then(() => this.start());
    }, waitMs).unref();
  }

  /** Can be called twice. */
  stop(): void {
    this.stopping.abort();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async tryOnce(): Promise<void> {
    if (!(await this.usable()) || this.stopping.signal.aborted) return;
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
