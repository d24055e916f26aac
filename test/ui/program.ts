import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { bundling } from '../../bin/bundling.ts';

/** Bundles the dashboard over the fake engine, as the real program is bundled; the file to run. */
export async function buildFakeDashboard(): Promise<string> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-ui-'));
  await esbuild.build({
    ...bundling,
    entryPoints: { dashboard: 'test/support/fake-dashboard.ts' },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    logLevel: 'error',
  });
  return path.join(folder, 'dashboard.mjs');
}
