// Keeps one connection alive for as long as somebody uses it: connect, hold, lose, wait, connect again. Knows nothing
// of SSH; the carriers give it a way to connect.
import { type Failure, SallyportError, toFailure } from '../../model/errors.ts';
import type { LinkStatus } from '../../model/state.ts';
import { backoffMs } from './backoff.ts';

/** One connection, once it is usable. */
export interface Connection {
  readonly peer: {
    readonly address: string;
    readonly cipher: string;
    readonly kex: string;
    readonly serverVersion: string;
  };
  /** Resolves, never rejects, with the reason once the connection is gone. */
  readonly lost: Promise<SallyportError>;
  /** Ends it; `lost` resolves. Can be called twice. */
  close(): void;
}

/** Given to each try to connect. */
export interface Attempt {
  /** Aborted when nobody wants the connection any more; the try must end then. */
  readonly signal: AbortSignal;
  /** A person must answer before this try can go on. */
  waiting(error: Failure, prompt: string | null): void;
  /** The answer came. */
  resumed(): void;
}

export interface KeeperOptions<C extends Connection> {
  /** @throws SallyportError; one whose code (or whose cause's code) does not heal is not tried again */
  connect(attempt: Attempt): Promise<C>;
  report(status: LinkStatus): void;
  readonly random?: () => number;
  readonly delayMs?: (attempt: number, random: number) => number;
}

/** A connection that lasted this long has proven itself: the next loss starts at the shortest delay again. */
const stableMs = 10_000;

/** Whether trying again by itself can help: the error must heal, and whatever caused it too. */
function heals(error: SallyportError): boolean {
  return error.retryable && (!(error.cause instanceof SallyportError) || heals(error.cause));
}

function toSallyportError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const { code, message, hint } = toFailure(error);
  return new SallyportError(code, message, hint, { cause: error });
}

interface Waiter<C> {
  readonly resolve: (connection: C) => void;
  readonly reject: (error: unknown) => void;
}

export class LinkKeeper<C extends Connection> {
  private readonly options: KeeperOptions<C>;
  private readonly listeners = new Set<(up: boolean) => void>();
  private readonly waiters = new Set<Waiter<C>>();
  private users = 0;
  private stopped = false;
  private connection: C | null = null;
  private current: LinkStatus = { is: 'idle' };
  private run: AbortController | null = null;
  private running: Promise<void> = Promise.resolve();
  /** Ends the pause between two tries. */
  private wake: (() => void) | null = null;

  constructor(options: KeeperOptions<C>) {
    this.options = options;
  }

  get status(): LinkStatus {
    return this.current;
  }

  /** The connection if it is up. */
  get up(): C | null {
    return this.connection;
  }

  /** Counts a user in; the first starts connecting, and the last to leave ends the connection. */
  hold(): () => void {
    this.users++;
    if (this.users === 1) this.start();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.users--;
      if (this.users === 0) this.end();
    };
  }

  /**
   * The connection, as soon as it is up.
   * @throws SallyportError what the link failed with for good; or the signal's reason
   */
  async ready(signal: AbortSignal): Promise<C> {
    signal.throwIfAborted();
    if (this.connection !== null) return this.connection;
    if (this.current.is === 'failed') throw SallyportError.from(this.current.error);
    if (this.stopped) throw new SallyportError('host_lost', 'the link was stopped');
    return new Promise<C>((resolve, reject) => {
      const done = () => {
        this.waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => waiter.reject(signal.reason);
      const waiter: Waiter<C> = {
        resolve: (connection) => {
          done();
          resolve(connection);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.waiters.add(waiter);
    });
  }

  onUp(listener: (up: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** Tries again at once where a pause or a failure stands in the way; else says how it is. */
  retry(): void {
    if (this.wake !== null) this.wake();
    else if (this.current.is === 'failed' && this.users > 0 && !this.stopped) this.start();
    else this.options.report(this.current);
  }

  /** The round trip as just measured; reported when it moved enough to be worth a word. */
  measured(rttMs: number): void {
    if (this.current.is !== 'up') return;
    const before = this.current.rttMs;
    if (before !== null && Math.abs(before - rttMs) < Math.max(1, before / 5)) return;
    this.set({ ...this.current, rttMs: Math.round(rttMs * 10) / 10 });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.end();
    for (const waiter of [...this.waiters]) waiter.reject(new SallyportError('host_lost', 'the link was stopped'));
    await this.running;
  }

  private start(): void {
    if (this.stopped) return;
    const run = new AbortController();
    const before = this.running;
    this.run = run;
    this.set({ is: 'connecting' });
    this.running = before.then(() => this.keep(run.signal));
  }

  private end(): void {
    this.run?.abort(new SallyportError('host_lost', 'nobody uses the link any more'));
    this.run = null;
    this.drop()?.close();
    this.set({ is: 'idle' });
  }

  /** Forgets the connection and says so. */
  private drop(): C | null {
    const connection = this.connection;
    if (connection === null) return null;
    this.connection = null;
    this.tell(false);
    return connection;
  }

  private tell(up: boolean): void {
    for (const listener of [...this.listeners]) listener(up);
  }

  private set(status: LinkStatus): void {
    if (status.is === this.current.is && (status.is === 'idle' || status.is === 'connecting')) return;
    this.current = status;
    this.options.report(status);
  }

  private fail(error: SallyportError): void {
    this.set({ is: 'failed', error: error.failure });
    for (const waiter of [...this.waiters]) waiter.reject(error);
  }

  private async keep(signal: AbortSignal): Promise<void> {
    const live = (status: LinkStatus) => {
      if (!signal.aborted) this.set(status);
    };
    let attempt = 0;
    while (!signal.aborted) {
      live({ is: 'connecting' });
      let error: SallyportError;
      try {
        const connection = await this.options.connect({
          signal,
          waiting: (failure, prompt) => live({ is: 'waiting', error: failure, prompt }),
          resumed: () => live({ is: 'connecting' }),
        });
        if (signal.aborted) {
          connection.close();
          return;
        }
        const since = Date.now();
        this.connection = connection;
        this.set({ is: 'up', since: new Date(since).toISOString(), ...connection.peer, rttMs: null });
        this.tell(true);
        for (const waiter of [...this.waiters]) waiter.resolve(connection);
        error = await connection.lost;
        if (signal.aborted) return;
        if (Date.now() - since >= stableMs) attempt = 0;
        this.drop();
      } catch (thrown) {
        if (signal.aborted) return;
        error = toSallyportError(thrown);
      }
      if (!heals(error)) {
        this.fail(error);
        return;
      }
      attempt++;
      await this.pause(attempt, error, signal);
    }
  }

  private async pause(attempt: number, error: SallyportError, signal: AbortSignal): Promise<void> {
    const delayMs = (this.options.delayMs ?? backoffMs)(attempt, (this.options.random ?? Math.random)());
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.wake = null;
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      signal.addEventListener('abort', done, { once: true });
      this.wake = done;
      const nextTry = new Date(Date.now() + delayMs).toISOString();
      this.set({ is: 'retrying', error: error.failure, nextTry, attempt });
    });
  }
}
