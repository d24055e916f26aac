// What counts as unusual, as arithmetic on counts: nothing here costs more than a comparison for each connection.

/** Connections are looked at in windows of this length. */
export const burstWindowMs = 5000;
/** Fewer in a window are never a burst. */
const burstFloor = 50;
/** A burst is so many times the usual. */
const burstFactor = 8;
/** Weight of the last window in what is usual; so a steady load is usual after about a minute. */
const usualWeight = 0.2;

/** Notices a sudden rise of connections, once for each window it goes on in. */
export class BurstWatch {
  private windowEndMs = 0;
  private count = 0;
  private usual = 0;
  private told = false;

  /**
   * @param nowMs any clock that only goes forward
   * @returns how many there were in this window, when that has just become a burst; else null
   */
  add(connections: number, nowMs: number): number | null {
    if (nowMs >= this.windowEndMs) this.turn(nowMs);
    this.count += connections;
    if (this.told || this.count <= Math.max(burstFloor, this.usual * burstFactor)) return null;
    this.told = true;
    return this.count;
  }

  private turn(nowMs: number): void {
    const passed = Math.floor((nowMs - this.windowEndMs) / burstWindowMs) + 1;
    this.usual = (this.usual * (1 - usualWeight) + this.count * usualWeight) * (1 - usualWeight) ** (passed - 1);
    this.windowEndMs = nowMs + burstWindowMs;
    this.count = 0;
    this.told = false;
  }
}

export const refusalWindowMs = 60_000;
/** One or two are a mistake; so many within a window are worth a word, and then each time it has doubled. */
const refusalFloor = 5;

/** Notices clients that are turned away again and again. */
export class RefusalWatch {
  private windowEndMs = 0;
  private count = 0;
  private nextTold = refusalFloor;

  /** @returns how many there were in this window, when that is worth a word; else null */
  add(clients: number, nowMs: number): number | null {
    if (nowMs >= this.windowEndMs) {
      this.windowEndMs = nowMs + refusalWindowMs;
      this.count = 0;
      this.nextTold = refusalFloor;
    }
    this.count += clients;
    if (this.count < this.nextTold) return null;
    while (this.nextTold <= this.count) this.nextTold *= 2;
    return this.count;
  }
}

/** The words of the events, the same whoever counted. */
export const burstMessage = (count: number, last: string | null): string =>
  `${count} connections within ${burstWindowMs / 1000} s, far more than usual${last === null ? '' : `, the last from ${last}`}`;
export const refusedMessage = (count: number, last: string | null): string =>
  `${count} clients turned away within ${refusalWindowMs / 1000} s${last === null ? '' : `, the last ${last}`}`;
