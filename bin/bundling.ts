// How the source becomes what runs: for the build, and for the tests that run a part of the program as it is bundled.
import path from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';
import { packageEdits } from './package-edits.ts';

export const root = path.join(import.meta.dirname, '..');

/** Ink loads it only under DEV=true, and it isn't installed. */
const noDevtools: Plugin = {
  name: 'no-devtools',
  setup(build) {
    build.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'devtools', namespace: 'empty' }));
    build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {};' }));
  },
};

/** Ink measures every sign of every frame. Most are of one column, which our own measure sees at a glance. */
const fastWidth: Plugin = {
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
};

export const bundling = {
  absWorkingDir: root,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
  plugins: [noDevtools, fastWidth, packageEdits],
  // CommonJS dependencies inside an ES bundle still call require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
} satisfies BuildOptions;
