import fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { shellQuote, shellSplit } from '../../src/model/shell-words.ts';
import { layoutColumns, rowLine } from '../../src/present/columns.ts';
import { areaGraph, niceCeiling, resample, sparkline } from '../../src/present/graph.ts';
import { graphemesOf } from '../../src/present/graphemes.ts';
import {
  cutText,
  fitText,
  lineWidth,
  overlay,
  plainText,
  seg,
  sliceLine,
  textWidth,
  wrapText,
} from '../../src/present/line.ts';
import { formatShort } from '../../src/present/quantity.ts';
import { keysOfText } from '../../src/ui/keys.ts';
import { shareRows } from '../../src/ui/screens/share.ts';
import { editField, emptyField } from '../../src/ui/text-field.ts';

const text = fc.string({
  unit: fc.constantFrom('a', 'B', '1', ' ', '.', ':', '漢', 'é', 'e\u0301', '▼', '⣿', '👩‍👧', '❤️', '👍🏽', '🇩🇪', '…'),
});
const width = fc.integer({ min: 0, max: 30 });

test('the fast measure is the slow one', () => {
  fc.assert(fc.property(text, (s) => void expect(textWidth(s)).toBe(stringWidth(seg(s).text))));
});

test('what is drawn takes as many columns in a terminal that knows no joined signs', () => {
  const one = (sign: string) => (/\p{Regional_Indicator}/u.test(sign) ? 1 : stringWidth(sign));
  fc.assert(
    fc.property(text, (s) => {
      expect([...seg(s).text].reduce((sum, sign) => sum + one(sign), 0)).toBe(textWidth(s));
    }),
  );
  expect(seg('👩‍👧 ❤️ 👍🏽 می‌خواهم क्‍ष').text).toBe('👩👧 ❤ 👍 می‌خواهم क्‍ष');
});

test('the fast way to graphemes is the slow one', () => {
  const painted = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\u001b', '[', 'm', '\r\n', '\t', '\u200d', '\ufe0f', '\u0301', '▶', '✓', '漢', '👩‍👧', '🇩🇪'),
      fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0x2190, max: 0x28ff }).map((code) => String.fromCharCode(code)),
    ),
  });
  const slow = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  fc.assert(
    fc.property(painted, (s) => {
      const expected = Array.from(slow.segment(s), ({ segment, index }) => ({ segment, index }));
      expect(Array.from(graphemesOf(s), ({ segment, index }) => ({ segment, index }))).toEqual(expected);
    }),
  );
});

test('cut and fitted texts have their width', () => {
  fc.assert(
    fc.property(text, width, (s, w) => {
      expect(textWidth(cutText(s, w))).toBeLessThanOrEqual(w);
      expect(textWidth(fitText(s, w))).toBe(w);
      expect(textWidth(fitText(s, w, 'right'))).toBe(w);
    }),
  );
});

test('a slice of a line and its rest are as wide as the line', () => {
  fc.assert(
    fc.property(fc.array(text), width, (parts, at) => {
      const line = parts.map((part) => seg(part));
      const total = lineWidth(line);
      expect(lineWidth(sliceLine(line, 0, at))).toBe(Math.min(at, total));
      expect(lineWidth(sliceLine(line, at, total))).toBe(Math.max(0, total - at));
    }),
  );
});

test('what lies over a line does not make it wider', () => {
  fc.assert(
    fc.property(text, text, fc.integer({ min: 0, max: 10 }), (below, above, left) => {
      const [line = []] = overlay([[seg(fitText(below, 40))]], [[seg(fitText(above, 20))]], left, 0);
      expect(lineWidth(line)).toBe(40);
      expect(plainText(sliceLine(line, left, left + 20))).toBe(seg(fitText(above, 20)).text);
    }),
  );
});

test('wrapped lines fit and lose no word', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/)), fc.integer({ min: 4, max: 30 }), (list, w) => {
      const lines = wrapText(list.join(' '), w);
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(w);
      expect(lines.join('').replaceAll(' ', '')).toBe(list.join(''));
    }),
  );
});

test('columns never take more than there is', () => {
  const column = fc.record({
    min: fc.integer({ min: 1, max: 12 }),
    more: fc.integer({ min: 0, max: 20 }),
    keep: fc.integer({ min: 0, max: 99 }),
    extra: fc.boolean(),
    grow: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 9 }),
      fc.integer({ min: 12, max: 160 }),
      fc.array(text, { maxLength: 6 }),
      (specs, w, rows) => {
        const columns = specs.map(({ min, more, ...spec }, i) => ({
          id: `c${i}`,
          head: 'H',
          min,
          max: min + more,
          ...spec,
          cell: (row: string) => row,
        }));
        const layout = layoutColumns(columns, rows, w);
        const used =
          layout.placed.reduce((sum, placed) => sum + placed.width, 0) + layout.gap * (layout.placed.length - 1);
        expect(used).toBeLessThanOrEqual(Math.max(w, 12));
        for (const row of rows) expect(lineWidth(rowLine(layout, row))).toBe(w);
      },
    ),
  );
});

test('graphs have their size, and the scale holds the largest sample', () => {
  const samples = fc.array(fc.integer({ min: 0, max: 1e12 }));
  fc.assert(
    fc.property(
      samples,
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      fc.boolean(),
      (values, w, h, down, ascii) => {
        const max = niceCeiling(Math.max(0, ...values));
        expect(max).toBeGreaterThanOrEqual(Math.max(0, ...values) * 0.999);
        const rows = areaGraph(values, w, h, max, { down, ascii });
        expect(rows).toHaveLength(h);
        for (const row of rows) expect(row).toHaveLength(w);
        expect(sparkline(values, w, ascii)).toHaveLength(w);
        expect(resample(values, w)).toHaveLength(values.length === 0 ? 0 : w);
      },
    ),
  );
});

test('short amounts fit their column', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 9e17, noNaN: true }),
      (n) => void expect(formatShort(n).length).toBeLessThanOrEqual(5),
    ),
  );
});

test('a quoted word comes back from a shell as it was', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ minLength: 1 }).filter((s) => !s.includes('\0')),
        { minLength: 1 },
      ),
      (words) => void expect(shellSplit(shellQuote(words))).toEqual(words),
    ),
  );
});

test('typed text is in the field, whatever graphemes it is made of', () => {
  fc.assert(
    fc.property(text, (s) => {
      const field = keysOfText(s).reduce((state, key) => editField(state, key) ?? state, emptyField);
      expect(field).toEqual({ text: s, at: s.length });
    }),
  );
});

test('rows are shared out whole and never beyond the room or the wish', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 60 }),
      fc.nat(2),
      (wanted, room, first) => {
        const given = shareRows(wanted, room, first % wanted.length);
        const sum = given.reduce((a, b) => a + b, 0);
        expect(sum).toBe(
          Math.min(
            room,
            wanted.reduce((a, b) => a + b, 0),
          ),
        );
        for (const [i, rows] of given.entries()) expect(rows).toBeLessThanOrEqual(wanted[i] ?? 0);
      },
    ),
  );
});

test('a panel of few rows is shown whole beside one of many', () => {
  expect(shareRows([56, 4, 2], 23, 0)).toEqual([17, 4, 2]);
  expect(shareRows([56, 4, 2], 10, 0)).toEqual([6, 2, 2]);
  expect(shareRows([56, 4, 2], 7, 1)).toEqual([2, 4, 1]);
});

test('a peak is as high wherever in the graph it stands', () => {
  for (let at = 0; at < 300; at++) {
    const values = Array.from({ length: 300 }, (_, i) => (i === at ? 900 : 1));
    expect(Math.max(...resample(values, 128))).toBe(900);
  }
});
