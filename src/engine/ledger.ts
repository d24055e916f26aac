// What has ever gone through, over restarts: totals of each forward, and of each day. A small file beside the log,
// written when something moved and at the end.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { DayTotal } from '../model/reports.ts';
import type { KeptTotals } from './meter.ts';

/** Days that are kept. */
const keptDays = 90;

const count = z.object({ rx: z.number(), tx: z.number(), flowsTotal: z.number(), refused: z.number() });
const schema = z.object({
  totals: z.record(z.string(), count.extend({ outside: count.optional() })),
  /** By day as YYYY-MM-DD, local time; by forward; received and sent. */
  days: z.record(z.string(), z.record(z.string(), z.tuple([z.number(), z.number()]))),
});

export type Ledger = ReturnType<typeof openLedger>;

/** @param today the local day, as YYYY-MM-DD */
export function openLedger(file: string, today: () => string) {
  const book = read(file);
  let written = JSON.stringify(book.totals);

  return {
    /** Totals as of the last entry, for a meter to go on from. */
    totals: (): Readonly<Record<string, KeptTotals>> => book.totals,

    /** Enters what has moved since the last entry, and writes it down if anything has. */
    enter(totals: Readonly<Record<string, KeptTotals>>): void {
      const text = JSON.stringify(totals);
      if (text === written) return;
      const day = today();
      const entries = book.days[day] ?? {};
      for (const [name, now] of Object.entries(totals)) {
        const { rx, tx } = bytes(now);
        const before = bytes(book.totals[name]);
        // A forward that was removed and made again under its name counts from zero.
        const moved: [number, number] = rx < before.rx || tx < before.tx ? [rx, tx] : [rx - before.rx, tx - before.tx];
        if (moved[0] === 0 && moved[1] === 0) continue;
        const [oldRx, oldTx] = entries[name] ?? [0, 0];
        entries[name] = [oldRx + moved[0], oldTx + moved[1]];
      }
      if (Object.keys(entries).length > 0) book.days[day] = entries;
      for (const old of Object.keys(book.days).sort().slice(0, -keptDays)) delete book.days[old];
      book.totals = { ...totals };
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, JSON.stringify(book), { mode: 0o600 });
      renameSync(`${file}.new`, file);
      written = text;
    },

    /** Bytes of each day on which anything moved, oldest first; of one forward, or of all that ever were. */
    days: (forward: string | null): DayTotal[] =>
      Object.entries(book.days)
        .sort(([a], [b]) => a.localeCompare(b))
        .flatMap(([day, entries]) => {
          const counts =
            forward === null ? Object.values(entries) : [entries[forward]].filter((one) => one !== undefined);
          if (counts.length === 0) return [];
          return [
            { day, rx: counts.reduce((sum, [rx]) => sum + rx, 0), tx: counts.reduce((sum, [, tx]) => sum + tx, 0) },
          ];
        }),
  };
}

/** What went through the engine and through a gateway, together. */
function bytes(kept: KeptTotals | undefined): { rx: number; tx: number } {
  return { rx: (kept?.rx ?? 0) + (kept?.outside?.rx ?? 0), tx: (kept?.tx ?? 0) + (kept?.outside?.tx ?? 0) };
}

/** An empty book where there is none or it is damaged: it is worth less than a start. */
function read(file: string): z.infer<typeof schema> {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return { totals: {}, days: {} };
  }
}

/** The local day. */
export function localDay(now = new Date()): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}
