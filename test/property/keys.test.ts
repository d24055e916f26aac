import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineWidth, plainText } from '../../src/present/line.ts';
import { keymap } from '../../src/ui/keymap/keymap.ts';
import { frameLines } from '../../src/ui/screens/screen.ts';
import { frozenAt } from '../support/frozen.ts';
import { crowd, empty, unknownHostKey, workday } from '../support/scenario.ts';
import { openStage, type Stage } from '../support/stage.ts';

const leaving = new Set(['q', 'ctrl+c', 'ctrl+z']);
const keys = [...new Set(keymap.flatMap((binding) => binding.keys))].filter((key) => !leaving.has(key));
const typed = ['8', '0', ':', '.', 'é', '漢', '👩‍👧', '/', 'x'];
const entries = [
  [],
  ['f'],
  ['l'],
  ['h'],
  ['a'],
  ['w'],
  ['S'],
  ['t'],
  ['enter'],
  ['/'],
  ['?'],
  [':'],
  ['n'],
  ['n', 'l'],
  ['n', 't'],
  ['e'],
  ['d'],
  ['m'],
];

/** As many lines as rows, none wider than the screen, nothing in them that would move the cursor. */
function expectWhole(stage: Stage, columns: number, rows: number) {
  const lines = frameLines(stage.scene());
  expect(lines).toHaveLength(rows);
  for (const line of lines) {
    expect(lineWidth(line)).toBeLessThanOrEqual(columns);
    expect(plainText(line)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  }
}

test('every key of the table, in every view and dialog, at any size, leaves a whole screen', async () => {
  const scenario = fc.constantFrom(workday, empty, crowd(60));
  const size = fc.constantFrom([40, 12], [79, 13], [80, 24], [120, 40], [39, 11], [10, 3]);
  await fc.assert(
    fc.asyncProperty(
      scenario,
      size,
      fc.constantFrom(...entries),
      fc.array(
        fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom(...keys) },
          { weight: 1, arbitrary: fc.constantFrom(...typed) },
        ),
        { maxLength: 12 },
      ),
      fc.boolean(),
      async (picture, [columns = 80, rows = 24], entry, presses, prompts) => {
        const stage = await openStage({ scenario: picture, columns, rows, prompts });
        try {
          for (const key of [...entry, ...presses]) {
            await stage.press(key);
            expectWhole(stage, columns, rows);
          }
        } finally {
          stage.stop();
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('each key on its own in each view', { timeout: 120_000 }, async () => {
  for (const entry of entries) {
    for (const key of keys) {
      const stage = await openStage({ columns: 80, rows: 24 });
      for (const press of [...entry, key]) await stage.press(press);
      expectWhole(stage, 80, 24);
      stage.stop();
    }
  }
});

test('hostile text in names, errors, prompts and events stays text', async () => {
  const evil = fc.string({
    unit: fc.constantFrom(
      '\u001b[2J',
      '\u001b]52;c;aGk=\u0007',
      '\r',
      '\n',
      '\t',
      '\u009b31m',
      '\u202e',
      'a',
      '漢',
      '\u0301',
      ' ',
    ),
  });
  await fc.assert(
    fc.asyncProperty(evil, fc.constantFrom([], ['enter'], ['l'], ['h'], ['f']), async (text, presses) => {
      const stage = await openStage({ columns: 80, rows: 24 });
      stage.engine.change((before) => ({
        ...before,
        engine: { ...before.engine, hostname: text },
        prompts:
          presses.length === 0
            ? [
                {
                  ...unknownHostKey((ms) => new Date(ms).toISOString(), frozenAt),
                  title: text,
                  instructions: text,
                  host: text,
                },
              ]
            : [],
        forwards: Object.fromEntries(
          Object.entries(before.forwards).map(([name, entry]) => [
            name,
            {
              ...entry,
              config: {
                ...entry.config,
                note: text,
                ...('host' in entry.config ? { host: `h${text}` } : {}),
              } as typeof entry.config,
              listener: { is: 'failed', error: { code: 'listen_failed', message: text, hint: text } },
            },
          ]),
        ),
      }));
      stage.engine.event('error', null, 'x', text);
      await stage.settle();
      for (const key of presses) await stage.press(key);
      expectWhole(stage, 80, 24);
      stage.stop();
    }),
    { numRuns: 60 },
  );
});
