// What flows have opened, kept in a file so that a restarted engine can go on with it. Times are since the machine's
// start: a clock that is set meanwhile changes nothing, and after a start of the machine nothing is open any more.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as z from 'zod';

const openingSchema = z.object({
  host: z.string(),
  openedAtMs: z.number(),
  expiresAtMs: z.number(),
  /** Link the holder's call went over. */
  link: z.string().nullable(),
});
const fileSchema = z.object({ boot: z.string(), openings: z.record(z.string(), openingSchema) });

/** Times by `performance.now()` of this process; those of a former one are moved over. */
export type KeptOpening = z.infer<typeof openingSchema>;
export type KeptOpenings = Readonly<Record<string, KeptOpening>>;

export interface OpeningsFile {
  /** What was open when the last engine wrote; nothing where the file is missing, damaged, or of another boot. */
  readonly found: KeptOpenings;
  /** Writes, unless all is within half a second of what was written last. */
  save(openings: KeptOpenings): void;
}

const worthWritingMs = 500;

export function openOpeningsFile(file: string): OpeningsFile {
  const boot = bootId();
  const sinceBootMs = os.uptime() * 1000 - performance.now();
  const moved = (openings: KeptOpenings, byMs: number): KeptOpenings =>
    Object.fromEntries(
      Object.entries(openings).map(([name, { host, openedAtMs, expiresAtMs, link }]) => [
        name,
        { host, openedAtMs: openedAtMs + byMs, expiresAtMs: expiresAtMs + byMs, link },
      ]),
    );
  const read = (): KeptOpenings => {
    try {
      const kept = fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      return kept.boot === boot ? moved(kept.openings, -sinceBootMs) : {};
    } catch {
      return {};
    }
  };
  const found = read();
  let last = found;
  return {
    found,
    save(openings) {
      if (alike(last, openings)) return;
      last = openings;
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      const text = JSON.stringify({ boot, openings: moved(openings, sinceBootMs) });
      writeFileSync(`${file}.new`, text, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    },
  };
}

function alike(a: KeptOpenings, b: KeptOpenings): boolean {
  const names = Object.keys(b);
  if (names.length !== Object.keys(a).length) return false;
  return names.every((name) => {
    const [before, after] = [a[name], b[name]];
    return (
      before !== undefined &&
      after !== undefined &&
      before.host === after.host &&
      before.link === after.link &&
      Math.abs(before.expiresAtMs - after.expiresAtMs) < worthWritingMs
    );
  });
}

/** Differs from one start of the machine to the next. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
