import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openLedger } from '../../src/engine/ledger.ts';

const totals = (rx: number, tx = 0) => ({ web: { rx, tx, flowsTotal: 1, refused: 0 } });
const dir = mkdtempSync(path.join(os.tmpdir(), 'ledger-'));
afterAll(() => rmSync(dir, { recursive: true }));
const makeFile = () => path.join(mkdtempSync(path.join(dir, 'home-')), 'state', 'totals.json');

test('totals and days survive, a day gets what moved in it, and a name that began anew counts from zero', () => {
  const file = makeFile();
  let day = '2026-01-01';
  const open = () => openLedger(file, () => day);
  const first = open();
  first.enter(totals(100, 10));
  day = '2026-01-02';
  first.enter(totals(150, 10));
  const second = open();
  expect(second.totals().web?.rx).toBe(150);
  second.enter(totals(30));
  expect(second.days('web')).toEqual([
    { day: '2026-01-01', rx: 100, tx: 10 },
    { day: '2026-01-02', rx: 80, tx: 0 },
  ]);
  expect(second.days(null)).toEqual(second.days('web'));
  expect(second.days('other')).toEqual([]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('nothing moved, nothing written', () => {
  const file = makeFile();
  const ledger = openLedger(file, () => '2026-01-01');
  ledger.enter(totals(1));
  writeFileSync(file, 'touched');
  ledger.enter(totals(1));
  expect(statSync(file).size).toBe('touched'.length);
});

test('a damaged book is begun anew', () => {
  const file = makeFile();
  openLedger(file, () => '2026-01-01').enter(totals(1));
  writeFileSync(file, '{"totals":');
  expect(openLedger(file, () => '2026-01-01').totals()).toEqual({});
});

test('ninety days are kept', () => {
  const ledger = (() => {
    let n = 0;
    return {
      book: openLedger(makeFile(), () => new Date(Date.UTC(2026, 0, n)).toISOString().slice(0, 10)),
      next: () => ++n,
    };
  })();
  for (let i = 1; i <= 100; i++) ledger.book.enter(totals(ledger.next()));
  expect(ledger.book.days('web')).toHaveLength(90);
  expect(ledger.book.days('web')[0]?.day).toBe('2026-01-11');
});
