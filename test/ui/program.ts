import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { bundling } from '../../bin/bundling.ts';

export interface BuiltProgram {
  /** What Node is to run. */
  readonly file: string;
  remove(): void;
}

/** Bundles the dashboard over the fake engine, as the real program is bundled. */
export async function buildFakeDashboard(): Promise<BuiltProgram> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-ui-'));
  await esbuild.build({
    ...bundling,
    entryPoints: { dashboard: 'test/support/fake-dashboard.ts' },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    logLevel: 'error',
  });
  return { file: path.join(folder, 'dashboard.mjs'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
