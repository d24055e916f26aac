import { readFileSync } from 'node:fs';

/** Kept back for what is no flow: log, modules, control sockets, SSH connections. */
const reserve = 256;

/** The process's soft limit of open files; Node raises it to the hard one when it starts. */
export function descriptorLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined ? 1024 : soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft);
}

/**
 * File descriptors this worker may still use. Without it a full table is silent: the kernel's accept fails, no event
 * comes, and clients see an end.
 */
export class Descriptors {
  private left: number;

  constructor(limit: number, workers = 1) {
    this.left = Math.floor((limit - Math.min(reserve, limit / 4)) / workers);
  }

  take(count: number): boolean {
    if (this.left < count) return false;
    this.left -= count;
    return true;
  }

  give(count: number): void {
    this.left += count;
  }

  get free(): number {
    return this.left;
  }
}
