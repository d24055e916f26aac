import { afterEach, expect, test } from 'vitest';
import {
  styledCharsFromTokens,
  styledCharsToString,
  tokenize,
} from '../../node_modules/@alcalzone/ansi-tokenize/build/index.js';
import InkOutput from '../../node_modules/ink/build/output.js';
import { createPainter } from '../../src/ui/paint.ts';
import { themes } from '../../src/ui/theme.ts';
import { wholeRows } from '../../src/ui/whole-rows.ts';
import { openStage, type Stage } from '../support/stage.ts';

let stage: Stage | null = null;
afterEach(() => stage?.stop());

const places = (rows: number) => Array<string>(rows).fill(' ').join('\n');
/** Colours written in one way, whichever way they were written. */
const normal = (row: string) => styledCharsToString(styledCharsFromTokens(tokenize(row))).trimEnd();

test.each([
  [[], 120, 40],
  [['enter'], 80, 24],
  [['n', 'l'], 200, 60],
  [['?'], 40, 12],
] as const)('after %j at %d×%d they are what Ink would compose', async (keys, columns, rows) => {
  stage = await openStage({ columns, rows });
  await stage.press(...keys);
  const painted = stage.lines().map(createPainter(themes.dark, 24));
  const transformers = [(_: string, y: number) => painted[y] ?? ''];
  const ink = new InkOutput({ width: columns, height: rows });
  ink.write(0, 0, places(rows), { transformers });
  const ours = wholeRows([{ type: 'write', x: 0, y: 0, text: places(rows), transformers }], rows);
  expect(ours?.map(normal)).toEqual(ink.get().output.split('\n'));
});

test('what is not whole rows is left to Ink', () => {
  const write = { type: 'write', x: 0, y: 0, text: places(3), transformers: [() => 'row'] } as const;
  expect(wholeRows([write], 3)).toEqual(['row', 'row', 'row']);
  expect(wholeRows([], 3)).toBeNull();
  expect(wholeRows([write, write], 3)).toBeNull();
  expect(wholeRows([{ type: 'clip' }, write, { type: 'unclip' }], 3)).toBeNull();
  expect(wholeRows([{ ...write, x: 1 }], 3)).toBeNull();
  expect(wholeRows([{ ...write, y: 1 }], 3)).toBeNull();
  expect(wholeRows([write], 4)).toBeNull();
  expect(wholeRows([{ ...write, text: 'a\n \n ' }], 3)).toBeNull();
});
