import { performance } from 'node:perf_hooks';

/** How much may pass in one go, as time: long enough for smooth timers, short enough to be felt as a rate. */
const burstMs = 100;

/**
 * A token bucket that may run into debt: what has arrived is passed on, and the time until the debt is paid is the
 * time to stop reading. Shared by the flows of a forward, one for each way.
 */
export class TokenBucket {
  private readonly bytesPerMs: number;
  private readonly now: () => number;
  private readonly capacity: number;
  private tokens: number;
  private filledAt: number;

  constructor(rateBytesPerSecond: number, now: () => number = () => performance.now()) {
    this.bytesPerMs = rateBytesPerSecond / 1000;
    this.now = now;
    this.capacity = this.bytesPerMs * burstMs;
    this.tokens = this.capacity;
    this.filledAt = now();
  }

  /** Takes the bytes; milliseconds until the next may come, 0 for at once. */
  spend(bytes: number): number {
    this.fill();
    this.tokens -= bytes;
    return this.tokens >= 0 ? 0 : Math.ceil(-this.tokens / this.bytesPerMs);
  }

  /** Takes the bytes where there is room for any; false takes none. For datagrams, which can't wait. */
  tryTake(bytes: number): boolean {
    this.fill();
    if (this.tokens <= 0) return false;
    this.tokens -= bytes;
    return true;
  }

  private fill(): void {
    const now = this.now();
    this.tokens = Math.min(this.capacity, this.tokens + (now - this.filledAt) * this.bytesPerMs);
    this.filledAt = now;
  }
}
