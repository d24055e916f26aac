import type { EventLevel } from '../model/event.ts';

export type Note = (level: EventLevel, code: string, message: string) => void;

interface Quiet {
  more: number;
  last: string;
  level: EventLevel;
  timer: NodeJS.Timeout;
}

/** Notes of one forward, kept from flooding the event log: of each code the first at once, then a sum per interval; want of descriptors, which lasts, six times as seldom. */
export class Notes {
  private readonly note: Note;
  private readonly intervalMs: number;
  private readonly quiet = new Map<string, Quiet>();

  constructor(note: Note, intervalMs = 10_000) {
    this.note = note;
    this.intervalMs = intervalMs;
  }

  say(level: EventLevel, code: string, message: string): void {
    const quiet = this.quiet.get(code);
    if (quiet !== undefined) {
      quiet.more += 1;
      quiet.last = message;
      return;
    }
    this.note(level, code, message);
    const timer = setTimeout(() => this.sum(code), this.interval(code));
    timer.unref();
    this.quiet.set(code, { more: 0, last: message, level, timer });
  }

  /** Says at once what was held back. */
  flush(): void {
    for (const [code, { timer }] of this.quiet) {
      clearTimeout(timer);
      this.sum(code);
    }
    for (const { timer } of this.quiet.values()) clearTimeout(timer);
    this.quiet.clear();
  }

  private interval(code: string): number {
    return code === 'fd_limit' ? this.intervalMs * 6 : this.intervalMs;
  }

  private sum(code: string): void {
    const quiet = this.quiet.get(code);
    this.quiet.delete(code);
    if (quiet === undefined || quiet.more === 0) return;
    this.note(quiet.level, code, quiet.more === 1 ? quiet.last : `${quiet.last} (${quiet.more} times)`);
    const timer = setTimeout(() => this.sum(code), this.interval(code));
    timer.unref();
    this.quiet.set(code, { ...quiet, more: 0, timer });
  }
}
