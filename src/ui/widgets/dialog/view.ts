// The small questions: yes or no, one of several, one line of text.
import { fitLine, type Line, onBack, seg, wrapText } from '../../../present/line.ts';
import { panel } from '../../../present/panel.ts';
import type { Scene } from '../../scene.ts';
import { windowOf } from '../../screens/window.ts';
import type { Overlay } from '../../state.ts';
import { fieldLine } from '../field.ts';
import { keyList } from '../footer.ts';

type Of<K extends Overlay['is']> = Extract<Overlay, { is: K }>;

const framed = (scene: Scene, title: string, lines: readonly Line[], width: number, right = '') =>
  panel(
    { left: title, right, focused: true },
    [...lines.map((line): Line => [seg(' '), ...line]), [], keyList(scene, width - 2)],
    width,
    scene.glyphs,
  );

export function confirmLines(scene: Scene, { title, lines }: Of<'confirm'>, width: number): Line[] {
  const text = lines.flatMap((line) => wrapText(line, width - 4).slice(0, 4)).map((line): Line => [seg(line)]);
  return framed(scene, title, text, width);
}

export function chooseLines(scene: Scene, { title, choices, at }: Of<'choose'>, width: number, height: number): Line[] {
  const { glyphs } = scene;
  const label = Math.max(...choices.map((choice) => choice.label.length));
  const rows = choices.map((choice, i): Line => {
    const line: Line = [
      seg(i === at ? glyphs.cursor : ' ', 'accent'),
      seg(` ${choice.key} `, 'key', true),
      seg(` ${choice.label.padEnd(label)}  `, 'plain', true),
      ...(width >= 64 ? [seg(choice.help, 'dim')] : []),
    ];
    return i === at ? onBack(fitLine(line, width - 3), 'select') : line;
  });
  const { from, to } = windowOf(rows.length, at, Math.max(1, height - 4));
  const right = to - from < rows.length ? `${from + 1}-${to} of ${rows.length}` : '';
  return framed(scene, title, rows.slice(from, to), width, right);
}

export function askLines(scene: Scene, { title, label, field, hint }: Of<'ask'>, width: number): Line[] {
  const line: Line = [seg(`${label}  `, 'accent'), ...fieldLine(field, width - label.length - 8, { focused: true })];
  const below = hint === undefined ? [] : wrapText(hint, width - 4).map((text): Line => [seg(text, 'dim')]);
  return framed(scene, title, [line, ...below], width);
}
