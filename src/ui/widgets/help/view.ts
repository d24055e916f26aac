import { filterColumns } from '../../../present/filter.ts';
import { fitText, type Line, lineWidth, seg, wrapText } from '../../../present/line.ts';
import { panel } from '../../../present/panel.ts';
import { stateLooks } from '../../../present/states.ts';
import { helpOf } from '../../keymap/binding.ts';
import { bindingsIn } from '../../keymap/keymap.ts';
import { keyLabel } from '../../keys.ts';
import type { Scene } from '../../scene.ts';

/** The keys that work right here, and what the signs mean; a key that cannot be used now says why. */
function allLines(scene: Scene, inner: number): Line[] {
  const { glyphs, ui } = scene;
  const keys = bindingsIn(ui.view.is);
  const labels = keys.map(({ keys: names }) => names.map((name) => keyLabel(name, glyphs.ascii)).join(' '));
  const keyWidth = Math.min(14, Math.max(...labels.map((label) => label.length)));
  const lines: Line[] = keys.flatMap((binding, i): Line[] => {
    const able = binding.enabled(scene);
    const help = helpOf(binding, scene);
    const text = able === true ? help : `${help} (${able})`;
    return wrapText(text, inner - keyWidth - 2).map((part, row) => [
      seg(fitText(row === 0 ? (labels[i] ?? '') : '', keyWidth + 2), able === true ? 'key' : 'dim', able === true),
      seg(part, able === true ? 'plain' : 'dim'),
    ]);
  });
  const more: Line[] = [];
  if (ui.view.is === 'overview' || ui.view.is === 'detail') {
    const states = Object.values(stateLooks).map(
      ({ glyph, ascii, role, word }): Line => [seg(`${glyphs.ascii ? ascii : glyph} ${word}`, role)],
    );
    const ways: Line[] = [
      [seg(`${glyphs.rx} `, 'rx'), seg('what targets send back', 'dim')],
      [seg(`${glyphs.tx} `, 'tx'), seg('what is sent to them', 'dim')],
    ];
    more.push([], [seg('states', 'title', true)], ...sideBySide(states, inner), ...sideBySide(ways, inner));
  }
  if (ui.view.is === 'overview') {
    const words = `words, !word, and ${filterColumns.map((name) => `${name}:`).join(' ')}`;
    more.push([], [seg('filter', 'title', true)], ...wrapText(words, inner).map((text): Line => [seg(text, 'dim')]));
  }
  return [...lines, ...more];
}

/** As many beside each other as there is room for. */
function sideBySide(items: readonly Line[], width: number): Line[] {
  const rows: Line[] = [];
  for (const item of items) {
    const last = rows.at(-1);
    const joined: Line = last === undefined ? item : [...last, seg('   '), ...item];
    if (last !== undefined && lineWidth(joined) <= width) rows[rows.length - 1] = joined;
    else rows.push(item);
  }
  return rows;
}

/** How far the help can be scrolled on this screen. */
export const helpReach = (scene: Scene, width: number, height: number): number =>
  Math.max(0, allLines(scene, width - 4).length - (height - 2));

/** The help, from where it was scrolled to. */
export function helpLines(scene: Scene, width: number, height: number, scroll: number): Line[] {
  const { glyphs, ui } = scene;
  const all = allLines(scene, width - 4);
  const room = height - 2;
  const from = Math.min(scroll, Math.max(0, all.length - room));
  const right = all.length > room ? `${from + 1}-${Math.min(all.length, from + room)} of ${all.length}` : 'esc closes';
  return panel(
    { left: `help ${glyphs.dot} ${ui.view.is}`, right, focused: true },
    all.slice(from, from + room).map((line) => [seg(' '), ...line]),
    width,
    glyphs,
  );
}
