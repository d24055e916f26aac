// Small charts out of characters. Written here because the chart packages for terminals pad, colour and label by
// themselves, and each is larger than these lines.
import { type Line, seg } from './line.ts';

// The full block is left out: rows below each other would run together.
const blocks = '▁▂▃▄▅▆▇';
const asciiBlocks = '_.-=+*#';

/** The newest samples as one row of blocks on their own scale; nothing is a space. */
export function sparkline(values: readonly number[], width: number, ascii = false): string {
  const shown = values.slice(-width);
  const max = Math.max(0, ...shown);
  const levels = ascii ? asciiBlocks : blocks;
  let out = ' '.repeat(Math.max(0, width - shown.length));
  for (const value of shown) {
    out += value <= 0 || max <= 0 ? ' ' : levels[Math.min(6, Math.floor((value / max) * 6.999))];
  }
  return out;
}

/** The next round number that holds the largest sample: a scale that does not jump with every one. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (value <= step * power * 1.0001) return step * power;
  return 10 * power;
}

// Braille dots of the left and the right column of a cell, from the bottom row up.
const leftDots = [0x40, 0x04, 0x02, 0x01];
const rightDots = [0x80, 0x20, 0x10, 0x08];

/**
 * A filled area, two samples a column and four steps a row, newest at the right.
 * @param max value of the full height
 * @param down whether it hangs from the top instead of standing on the bottom
 */
export function areaGraph(
  values: readonly number[],
  width: number,
  height: number,
  max: number,
  { down = false, ascii = false } = {},
): string[] {
  if (ascii) return asciiArea(values, width, height, max, down);
  const samples = width * 2;
  const offset = samples - values.length;
  const steps = (index: number) => {
    const value = values[index - offset] ?? 0;
    return value <= 0 || max <= 0 ? 0 : Math.min(height * 4, Math.max(1, Math.round((value / max) * height * 4)));
  };
  const order = (dots: readonly number[]) => (down ? [...dots].reverse() : dots);
  const [left, right] = [order(leftDots), order(rightDots)];
  const rows: string[] = [];
  for (let row = 0; row < height; row++) {
    const floor = (down ? row : height - 1 - row) * 4;
    let text = '';
    for (let column = 0; column < width; column++) {
      const [a, b] = [steps(column * 2) - floor, steps(column * 2 + 1) - floor];
      let code = 0;
      for (let dot = 0; dot < 4; dot++) {
        if (a > dot) code |= left[dot] ?? 0;
        if (b > dot) code |= right[dot] ?? 0;
      }
      text += code === 0 ? ' ' : String.fromCharCode(0x2800 + code);
    }
    rows.push(text);
  }
  return rows;
}

function asciiArea(values: readonly number[], width: number, height: number, max: number, down: boolean): string[] {
  const halved: number[] = [];
  for (let i = values.length; i > 0; i -= 2) halved.unshift(Math.max(values[i - 1] ?? 0, values[i - 2] ?? 0));
  const offset = width - halved.length;
  return Array.from({ length: height }, (_, row) => {
    const floor = down ? row : height - 1 - row;
    return Array.from({ length: width }, (_, column) => {
      const value = halved[column - offset] ?? 0;
      const filled = max <= 0 ? 0 : (value / max) * height - floor;
      return filled >= 0.75 ? '#' : filled >= 0.35 ? '=' : filled > 0 && value > 0 ? '.' : ' ';
    }).join('');
  });
}

/**
 * Samples brought to a number of points: the peak of neighbours where there are more, repeats where there are fewer.
 * A peak stays as high as it is while it moves along, so that neither the picture nor its scale flickers.
 */
export function resample(values: readonly number[], points: number): number[] {
  if (values.length === 0 || points <= 0) return [];
  const out: number[] = [];
  for (let i = 0; i < points; i++) {
    const from = Math.floor((i * values.length) / points);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / points));
    out.push(Math.max(0, ...values.slice(from, to)));
  }
  return out;
}

/** Both directions around one axis: what came back stands on it, what was sent hangs from it. */
export function trafficGraph(
  series: { readonly rx: readonly number[]; readonly tx: readonly number[] },
  size: { readonly width: number; readonly height: number },
  label: (value: number) => string,
  glyphs: { readonly ascii: boolean; readonly rx: string; readonly tx: string },
): Line[] {
  const labelWidth = size.width >= 60 ? 12 : 0;
  const width = size.width - labelWidth;
  const rxRows = Math.max(1, Math.ceil(size.height / 2));
  const txRows = size.height - rxRows;
  const points = width * 2;
  const [rx, tx] = [resample(series.rx, points), resample(series.tx, points)];
  const [rxMax, txMax] = [niceCeiling(Math.max(0, ...rx)), niceCeiling(Math.max(0, ...tx))];
  const { ascii } = glyphs;
  const name = (text: string) => (labelWidth === 0 ? '' : `${text.padStart(labelWidth - 1)} `);
  const axis = ascii ? '.' : '⣀';
  const rows: Line[] = areaGraph(rx, width, rxRows, rxMax, { ascii }).map((text, i) => [
    seg(name(i === 0 && rxMax > 0 ? `${glyphs.rx} ${label(rxMax)}` : ''), 'dim'),
    ...(i === rxRows - 1 ? withAxis(text, axis) : [seg(text, 'rx')]),
  ]);
  areaGraph(tx, width, txRows, txMax, { down: true, ascii }).forEach((text, i) => {
    rows.push([seg(name(i === txRows - 1 && txMax > 0 ? `${glyphs.tx} ${label(txMax)}` : ''), 'dim'), seg(text, 'tx')]);
  });
  return rows;
}

/** Empty cells of the lowest row become the axis. */
function withAxis(text: string, axis: string): Line {
  return (text.match(/ +|[^ ]+/g) ?? []).map((run) =>
    run.startsWith(' ') ? seg(axis.repeat(run.length), 'frame') : seg(run, 'rx'),
  );
}
