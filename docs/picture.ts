// From a terminal's grid of cells to a picture. Lines, blocks and braille are drawn, so that no font's gaps show.
import { existsSync } from 'node:fs';
import { Resvg } from '@resvg/resvg-js';
import type { IBufferCell, Terminal } from '@xterm/headless';

export interface Look {
  readonly foreground: string;
  readonly background: string;
  /** The 16 colours of the terminal. */
  readonly palette: readonly string[];
}

export const looks: Readonly<Record<'dark' | 'light', Look>> = {
  dark: {
    foreground: '#d3d8e8',
    background: '#151823',
    palette:
      '#1d2130 #ff8098 #9fdc9a #f2d58a #86b4ff #cda4ff #6fdccb #c8cee0 #5a617c #ff9aae #b6e8b1 #f7e2a8 #a6c8ff #dcc0ff #93e8da #ffffff'.split(
        ' ',
      ),
  },
  light: {
    foreground: '#24292f',
    background: '#fbfcfe',
    palette:
      '#24292f #c4122b #1a7f37 #8a5a00 #0757ba #7a36d4 #00736b #57606a #8c959f #d6304a #2da44e #b07d00 #2f7ad8 #9a5ff0 #189a90 #ffffff'.split(
        ' ',
      ),
  },
};

const fonts = ['DejaVuSansMono.ttf', 'DejaVuSansMono-Bold.ttf', 'DejaVuSans.ttf'].map(
  (file) => `/usr/share/fonts/truetype/dejavu/${file}`,
);
const size = 15;
const cellWidth = 9;
const cellHeight = 19;
const margin = 12;

/** The fonts a picture needs and this machine does not have. */
export function missingFonts(): readonly string[] {
  return fonts.filter((file) => !existsSync(file));
}

function colour(n: number, palette: readonly string[]): string {
  if (n < 16) return palette[n] ?? '#000000';
  if (n > 231) return `rgb(${[0, 0, 0].map(() => 8 + (n - 232) * 10).join(',')})`;
  const level = (v: number) => (v === 0 ? 0 : 55 + v * 40);
  const index = n - 16;
  return `rgb(${level(Math.floor(index / 36))},${level(Math.floor(index / 6) % 6)},${level(index % 6)})`;
}

const escaped = (text: string) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c] ?? c);
const rect = (x: number, y: number, width: number, height: number, fill: string, more = '') =>
  `<rect x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${width.toFixed(2)}" height="${height.toFixed(2)}" fill="${fill}"${more}/>`;

// From the middle of a cell: to the right, left, down and up; the rounded corners as curves.
const strokes: Readonly<Record<string, string>> = {
  '─': `M0 ${cellHeight / 2}H${cellWidth}`,
  '│': `M${cellWidth / 2} 0V${cellHeight}`,
  '╭': `M${cellWidth / 2} ${cellHeight}V${cellHeight / 2 + 4}Q${cellWidth / 2} ${cellHeight / 2} ${cellWidth} ${cellHeight / 2}`,
  '╮': `M${cellWidth / 2} ${cellHeight}V${cellHeight / 2 + 4}Q${cellWidth / 2} ${cellHeight / 2} 0 ${cellHeight / 2}`,
  '╰': `M${cellWidth / 2} 0V${cellHeight / 2 - 4}Q${cellWidth / 2} ${cellHeight / 2} ${cellWidth} ${cellHeight / 2}`,
  '╯': `M${cellWidth / 2} 0V${cellHeight / 2 - 4}Q${cellWidth / 2} ${cellHeight / 2} 0 ${cellHeight / 2}`,
  '└': `M${cellWidth / 2} 0V${cellHeight / 2}H${cellWidth}`,
};

const dots = [
  [0, 0],
  [0, 1],
  [0, 2],
  [1, 0],
  [1, 1],
  [1, 2],
  [0, 3],
  [1, 3],
] as const;

function glyph(text: string, x: number, y: number, fill: string, bold: boolean): string {
  const code = text.codePointAt(0) ?? 32;
  if (code >= 0x2800 && code <= 0x28ff) {
    return dots
      .map(([column, row], i) =>
        (code - 0x2800) & (1 << i)
          ? rect(
              x + column * (cellWidth / 2) + 0.5,
              y + row * (cellHeight / 4) + 0.6,
              cellWidth / 2 - 1,
              cellHeight / 4 - 1.2,
              fill,
              ' rx="1"',
            )
          : '',
      )
      .join('');
  }
  if (code >= 0x2581 && code <= 0x2588) {
    const height = (cellHeight * (code - 0x2580)) / 8;
    return rect(x, y + cellHeight - height, cellWidth + 0.2, height, fill);
  }
  if (text === '░') return rect(x, y, cellWidth + 0.2, cellHeight, fill, ' opacity="0.25"');
  if (text === '▌') return rect(x, y, cellWidth / 2, cellHeight, fill);
  if (text === '▕') return rect(x + cellWidth - 1.2, y, 1.2, cellHeight, fill);
  if (text === '▏') return rect(x, y, 1.2, cellHeight, fill);
  const stroke = strokes[text];
  if (stroke !== undefined)
    return `<path transform="translate(${x} ${y})" d="${stroke}" fill="none" stroke="${fill}" stroke-width="1.2"/>`;
  const weight = bold ? ' font-weight="bold"' : '';
  return `<text x="${x}" y="${y + cellHeight * 0.74}" fill="${fill}"${weight}>${escaped(text)}</text>`;
}

/** The screen of an emulator as SVG. */
export function toSvg(screen: Terminal, { foreground, background, palette }: Look): string {
  const buffer = screen.buffer.active;
  const out: string[] = [];
  const paint = (cell: IBufferCell, x: number, y: number) => {
    const of = (rgb: boolean, indexed: boolean, value: number, otherwise: string) =>
      rgb ? `#${value.toString(16).padStart(6, '0')}` : indexed ? colour(value, palette) : otherwise;
    let front = of(cell.isFgRGB(), cell.isFgPalette(), cell.getFgColor(), foreground);
    let back = of(cell.isBgRGB(), cell.isBgPalette(), cell.getBgColor(), background);
    if (cell.isInverse()) [front, back] = [back, front];
    if (back !== background) out.push(rect(x, y, cellWidth * cell.getWidth() + 0.3, cellHeight + 0.3, back));
    const text = cell.getChars();
    if (text !== '' && text !== ' ') out.push(glyph(text, x, y, front, cell.isBold() !== 0));
  };
  for (let row = 0; row < screen.rows; row++) {
    const line = buffer.getLine(buffer.viewportY + row);
    for (let column = 0; column < screen.cols; column++) {
      const cell = line?.getCell(column);
      if (cell !== undefined && cell.getWidth() > 0) paint(cell, column * cellWidth, row * cellHeight);
    }
  }
  const [width, height] = [screen.cols * cellWidth + 2 * margin, screen.rows * cellHeight + 2 * margin];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans Mono, DejaVu Sans" font-size="${size}" xml:space="preserve">` +
    `<rect width="100%" height="100%" rx="8" fill="${background}"/><g transform="translate(${margin} ${margin})">${out.join('')}</g></svg>`
  );
}

export function toPng(svg: string): Uint8Array {
  return new Resvg(svg, {
    font: { loadSystemFonts: false, fontFiles: [...fonts], defaultFontFamily: 'DejaVu Sans Mono' },
    shapeRendering: 2,
  })
    .render()
    .asPng();
}
