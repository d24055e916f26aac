import { filterColumns } from '../../../present/filter.ts';
import { cutText, fitText, type Line, seg, wrapText } from '../../../present/line.ts';
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
    more.push([], [seg('states', 'title', true)]);
    more.push(
      Object.values(stateLooks).flatMap(({ glyph, ascii, role, word }) => [
        seg(`${glyphs.ascii ? ascii : glyph} ${word}   `, role),
      ]),
    );
    more.push([
      seg(`${glyphs.rx} `, 'rx'),
      seg('what targets send back   ', 'dim'),
      seg(`${glyphs.tx} `, 'tx'),
      seg('what is sent to them', 'dim'),
    ]);
  }
  if (ui.view.is === 'overview') {
    more.push([], [seg('filter', 'title', true)]);
    more.push([
      seg(
        cutText(`words, !word, and ${filterColumns.map((name) => `${name}:`).join(' ')}`, inner, glyphs.ellipsis),
        'dim',
      ),
    ]);
  }
  return [...lines, ...more];
}

/** How far the help can be scrolled on this screen. */
export const helpReach = (scene: Scene, width: number, height: number): number =>
  Math.max(0, allLines(scene, width - 4).length - (height - 2));

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
