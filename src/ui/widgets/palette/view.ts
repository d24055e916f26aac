import { type Line, onBack, seg, spread } from '../../../present/line.ts';
import { panel } from '../../../present/panel.ts';
import type { Scene } from '../../scene.ts';
import { windowOf } from '../../screens/window.ts';
import { fieldLine } from '../field.ts';
import { paletteEntries, searchPalette } from './entries.ts';
import type { PaletteState } from './state.ts';

export function paletteLines(scene: Scene, state: PaletteState, width: number, height: number): Line[] {
  const { glyphs } = scene;
  const found = searchPalette(paletteEntries(scene), state.field.text);
  const room = Math.max(1, height - 4);
  const { from, to } = windowOf(found.length, state.at, room);
  const rows = found.slice(from, to).map((entry, i): Line => {
    const line = spread(
      [
        seg(`${from + i === state.at ? glyphs.cursor : ' '} `, 'accent'),
        seg(entry.label, entry.disabled === null ? 'plain' : 'dim'),
      ],
      [seg(` ${entry.disabled ?? entry.hint} `, entry.disabled === null ? 'dim' : 'busy')],
      width - 2,
      glyphs.ellipsis,
    );
    return from + i === state.at ? onBack(line, 'select') : line;
  });
  if (found.length === 0) rows.push([seg('  nothing fits', 'dim')]);
  while (rows.length < room) rows.push([]);
  const field: Line = [
    seg(' : ', 'key', true),
    ...fieldLine(state.field, width - 8, {
      ellipsis: glyphs.ellipsis,
      focused: true,
      example: 'an action or a forward',
    }),
  ];
  return panel({ left: 'command', right: `${found.length} found`, focused: true }, [field, [], ...rows], width, glyphs);
}
