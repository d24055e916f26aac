import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { root } from '../support/global-setup.ts';

/** Bundles the dashboard over the fake engine, as the real program is bundled; the file to run. */
export async function buildFakeDashboard(): Promise<string> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-ui-'));
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: { dashboard: 'test/support/fake-dashboard.ts' },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
    plugins: [
      {
        name: 'no-devtools',
        setup(build) {
          build.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'devtools', namespace: 'empty' }));
          build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {};' }));
        },
      },
    ],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  return path.join(folder, 'dashboard.mjs');
}
