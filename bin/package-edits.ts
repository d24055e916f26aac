// Dependencies that do more than this program needs of them, or sooner, or less. Each edit is a piece of a package's text
// and what stands there in the bundle; milliseconds are what it saves before the first frame.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'esbuild';

const own = (file: string) => JSON.stringify(path.join(import.meta.dirname, '..', 'src', file));

interface Edit {
  readonly file: RegExp;
  readonly from: RegExp;
  readonly to: string;
}

const edits: readonly Edit[] = [
  // The first Segmenter of a process reads the tables of Unicode: 17 ms. What wraps and cuts may never need it.
  {
    file: /node_modules\/(wrap-ansi\/index|slice-ansi\/tokenize-ansi)\.js$/,
    from: /^const (\w+) = (new Intl\.Segmenter\(.*\));$/m,
    to: 'let later; const $1 = { segment: (text) => (later ??= $2).segment(text) };',
  },
  // What draws cuts up every line of every frame; ours does without the tables where it can.
  {
    file: /node_modules\/(@alcalzone\/ansi-tokenize\/build\/tokenize|ink\/build\/line-update)\.js$/,
    from: /^const segmenter = new Intl\.Segmenter\(.*\);$/m,
    to: `import { graphemesOf } from ${own('present/graphemes.ts')}; const segmenter = { segment: graphemesOf };`,
  },
  // Ink composes every frame cell by cell, most of a frame's time and nearly all of its garbage; whole rows need no
  // composing.
  {
    file: /node_modules\/ink\/build\/output\.js$/,
    from: /^export default class Output \{$/m,
    to: `import { wholeRows } from ${own('ui/whole-rows.ts')}; export default class Output {`,
  },
  {
    file: /node_modules\/ink\/build\/output\.js$/,
    from: /^ {4}get\(\) \{$/m,
    to: `    get() {
        const rows = wholeRows(this.operations, this.height);
        if (rows !== null) return { output: rows.join('\\n'), height: rows.length };`,
  },
  // The first frame stands there before Ink is read.
  {
    file: /node_modules\/ink\/build\/ink\.js$/,
    from: /^export default class Ink \{$/m,
    to: `import { takeFirstFrame } from ${own('ui/first-frame.ts')}; export default class Ink {`,
  },
  {
    file: /node_modules\/ink\/build\/ink\.js$/,
    from: /^ {8}this\.writeBestEffort\(this\.options\.stdout, ansiEscapes\.enterAlternativeScreen\);$/m,
    to: `        const drawn = takeFirstFrame(this.options.stdout);
        if (drawn === null) this.writeBestEffort(this.options.stdout, ansiEscapes.enterAlternativeScreen);
        else this.log.sync(drawn);`,
  },
  // What it takes to stand on the screen already may not in another width: terminals keep what they had beyond the edge.
  {
    file: /node_modules\/ink\/build\/log-update\.js$/,
    from: /^ {12}if \(i < previousVisible && nextLines\[i\] === previousLines\[i\]\) \{$/m,
    to: '            if (areColumnsUnchanged && i < previousVisible && nextLines[i] === previousLines[i]) {',
  },
  // Yoga fetches its own embedded WebAssembly, and only for that Node would load its whole HTTP client: 60 ms.
  { file: /yoga-wasm-base64-esm\.js$/, from: /"function"!=typeof fetch/g, to: 'true' },
  // It decodes it sign by sign: 4 ms.
  {
    file: /yoga-wasm-base64-esm\.js$/,
    from: /var b=xa\(a\.slice\(37\)\),c=new Uint8Array\(b\.length\);for\(a=0;a<b\.length;\+\+a\)c\[a\]=b\.charCodeAt\(a\);var d=c/,
    to: 'var d=Buffer.from(a.slice(37),"base64")',
  },
  // For names of pipes and tokens of progress, neither of which is asked for: 8 ms.
  {
    file: /node_modules\/vscode-jsonrpc\/lib\/node\/(ril|main)\.js$/,
    from: /^const crypto_1 = require\("crypto"\);$/m,
    to: 'const crypto_1 = { randomUUID: () => require("crypto").randomUUID(), randomBytes: (n) => require("crypto").randomBytes(n) };',
  },
];

/** Fails the build when a package's text is no longer what an edit expects. */
export const packageEdits: Plugin = {
  name: 'package-edits',
  setup(build) {
    build.onLoad({ filter: new RegExp(edits.map(({ file }) => file.source).join('|')) }, ({ path: file }) => {
      let contents = readFileSync(file, 'utf8');
      for (const { from, to } of edits.filter((edit) => edit.file.test(file))) {
        const before = contents;
        contents = contents.replace(from, to);
        if (contents === before) return { errors: [{ text: `nothing in ${file} matches ${from}` }] };
      }
      return { contents };
    });
  },
};
