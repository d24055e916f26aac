import { lstatSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLog } from '../../../src/engine/log.ts';
import { findHome } from '../../../src/model/home.ts';
import { until } from '../../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'log-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('writes where the home says the log is, readable by the user alone, also after a restart', async () => {
  const { logFile } = findHome({ SALLYPORT_HOME: dir });
  for (const word of ['first', 'second']) {
    const log = await openLog(logFile);
    log.info(word);
    await until(`"${word}" in the log`, () => readFileSync(logFile, 'utf8').includes(word));
  }
  expect(statSync(logFile).mode & 0o077).toBe(0);
  expect(lstatSync(logFile).isSymbolicLink()).toBe(true);
});
