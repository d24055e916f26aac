// Traffic totals over restarts: a small file beside the log, written now and then and at the end.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { Totals } from './meter.ts';

const schema = z.record(
  z.string(),
  z.object({ rx: z.number(), tx: z.number(), flowsTotal: z.number(), refused: z.number() }),
);

/** The kept totals; none when there is no file or it is damaged, for they are worth less than a start. */
export function readTotals(file: string): Record<string, Totals> {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return {};
  }
}

export function writeTotals(file: string, totals: Readonly<Record<string, Totals>>): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(totals), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
