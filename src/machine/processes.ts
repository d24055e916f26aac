import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';
import { userNames } from './users.ts';

export interface ProcessInfo {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly user: string;
  /** A process that set its title has that as the one word. Empty for the kernel's threads. */
  readonly argv: readonly string[];
  /** ISO time; null when the kernel does not tell. */
  readonly startedAt: string | null;
}

/** /proc counts in clock ticks, which are hundredths of a second on every Linux there is (USER_HZ). */
const ticksPerSecond = 100;

/** Process ids present now, ascending. */
export function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}

/**
 * Parses /proc/PID/stat; the command name in it may hold spaces and brackets.
 * @returns parent and start time in clock ticks after boot
 */
export function parseStat(text: string): { ppid: number; startTicks: number } | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [ppid, startTicks] = [Number(fields[1]), Number(fields[19])];
  return text.includes(')') && Number.isInteger(ppid) && Number.isInteger(startTicks) ? { ppid, startTicks } : null;
}

/** Words of a command line as the kernel keeps it: each ended by a zero byte, or a title padded with them. */
export function parseCmdline(text: string): string[] {
  const words = text.replace(/\0+$/, '').split('\0');
  return words.length === 1 && words[0] === '' ? [] : words;
}

/** One process, or null when it is gone. */
function readProcess(pid: number): (Omit<ProcessInfo, 'user' | 'startedAt'> & { startTicks: number }) | null {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (stat === null || uid === undefined) return null;
    const argv = parseCmdline(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    return { pid, ppid: stat.ppid, uid: Number(uid), argv, startTicks: stat.startTicks };
  } catch {
    return null;
  }
}

/** Every process of this machine that can be seen. */
export async function processes(): Promise<ProcessInfo[]> {
  const [userOf, stat] = await Promise.all([userNames(), readFile('/proc/stat', 'utf8').catch(() => '')]);
  const bootSeconds = Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? Number.NaN);
  const found: ProcessInfo[] = [];
  for (const [i, pid] of processIds().entries()) {
    // Reading /proc never waits for a disk, but thousands of processes must not hold up the event loop.
    if (i % 64 === 63) await breathe();
    const entry = readProcess(pid);
    if (entry === null) continue;
    const { startTicks, ...rest } = entry;
    const startMs = (bootSeconds + startTicks / ticksPerSecond) * 1000;
    found.push({
      ...rest,
      user: userOf(entry.uid),
      startedAt: Number.isFinite(startMs) ? new Date(startMs).toISOString() : null,
    });
  }
  return found;
}

/**
 * A process's program as people call it: the file name of what runs, or what stands before the colon of a title
 * (`nginx: master process …`). Control characters are taken out: anybody may choose a process title.
 */
export function programName(argv: readonly string[], comm: string): string {
  const first = (argv[0] ?? '').trim();
  const word = /^([\w.-]+): /.exec(`${first} `)?.[1] ?? first.split(' ')[0] ?? '';
  const name = word.slice(word.lastIndexOf('/') + 1).replace(/^-/, '') || comm.trim();
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').slice(0, 64);
}

/** Name of a running program, or null when the process is gone. */
export function programOf(pid: number): string | null {
  try {
    const argv = parseCmdline(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    return programName(argv, readFileSync(`/proc/${pid}/comm`, 'utf8')) || null;
  } catch {
    return null;
  }
}
