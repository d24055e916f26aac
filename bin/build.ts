// Bundles src into dist: one chunk graph, so that a plain command never loads React and the
// engine never loads the screen. `node bin/build.ts` (npm run build).
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { buildId } from './build-id.ts';
import { startLater } from './start-later.ts';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };

rmSync(path.join(root, 'dist'), { recursive: true, force: true });
await esbuild.build({
  absWorkingDir: root,
  entryPoints: {
    cli: 'src/cli/main.ts',
    engine: 'src/engine/main.ts',
    worker: 'src/dataplane/main.ts',
    askpass: 'src/dataplane/carriers/openssh/askpass-main.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  jsx: 'automatic',
  // Native or worker-spawning packages must stay on disk as they are.
  external: ['ssh2', 'pino', 'pino-roll'],
  define: {
    'process.env.NODE_ENV': '"production"',
    'process.env.DEV': '"false"',
    'globalThis.SALLYPORT_BUILD': JSON.stringify(buildId()),
    'globalThis.SALLYPORT_VERSION': JSON.stringify(version),
  },
  plugins: [
    {
      // Ink loads it only under DEV=true, and it isn't installed.
      name: 'no-devtools',
      setup(build) {
        build.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'devtools', namespace: 'empty' }));
        build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {};' }));
      },
    },
    {
      // Ink measures every sign of every frame. Most are of one column, which our own measure sees at a glance.
      name: 'fast-width',
      setup(build) {
        const measure = path.join(root, 'src', 'present', 'line.ts');
        build.onResolve({ filter: /^string-width$/ }, ({ importer, namespace }) =>
          /[\\/]node_modules[\\/](ink|widest-line)[\\/]/.test(importer)
            ? { path: measure, namespace: 'fast-width' }
            : namespace === 'lazy-width'
              ? null
              : { path: 'string-width', namespace: 'lazy-width' },
        );
        // Its tables of Unicode properties take 30 ms to make, and a screen of plain signs never needs them.
        build.onLoad({ filter: /.*/, namespace: 'lazy-width' }, () => ({
          contents: `let measure;
            export default function stringWidth(text, options) {
              measure ??= require('string-width').default;
              return measure(text, options);
            }`,
          resolveDir: root,
        }));
        build.onLoad({ filter: /.*/, namespace: 'fast-width' }, ({ path: file }) => ({
          contents: `export { textWidth as default } from ${JSON.stringify(file)};`,
          resolveDir: root,
        }));
      },
    },
    startLater,
  ],
  // CommonJS dependencies inside an ES bundle still call require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  chunkNames: 'chunks/[name]-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
});
