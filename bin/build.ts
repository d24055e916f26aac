// Bundles src into dist: one chunk graph, so that a plain command never loads React and the
// engine never loads the screen. `node bin/build.ts` (npm run build).
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { buildId } from './build-id.ts';
import { bundling, root } from './bundling.ts';

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };

rmSync(path.join(root, 'dist'), { recursive: true, force: true });
await esbuild.build({
  ...bundling,
  entryPoints: {
    cli: 'src/cli/main.ts',
    engine: 'src/engine/main.ts',
    worker: 'src/dataplane/main.ts',
    askpass: 'src/dataplane/carriers/openssh/askpass-main.ts',
  },
  outdir: 'dist',
  // Native or worker-spawning packages must stay on disk as they are.
  external: ['ssh2', 'pino', 'pino-roll'],
  define: {
    ...bundling.define,
    'globalThis.SALLYPORT_BUILD': JSON.stringify(buildId()),
    'globalThis.SALLYPORT_VERSION': JSON.stringify(version),
  },
  chunkNames: 'chunks/[name]-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
});
