// What lies over the view: a prompt of the engine first, else the topmost dialog.
import { fitLine, type Line } from '../../present/line.ts';
import type { Scene } from '../scene.ts';
import { askLines, chooseLines, confirmLines } from './dialog/view.ts';
import { formLines } from './form/view.ts';
import { helpLines } from './help/view.ts';
import { paletteLines } from './palette/view.ts';
import { promptLines } from './prompt/view.ts';

export interface Placed {
  readonly lines: readonly Line[];
  readonly left: number;
  readonly top: number;
}

/** Columns and rows the help has. */
export const helpSize = ({ size }: Pick<Scene, 'size'>) => ({
  width: widthOf(88, size.columns),
  height: size.rows - 2,
});

/** Narrow screens have no columns to leave free. */
const widthOf = (most: number, columns: number) => Math.min(most, columns - (columns >= 60 ? 4 : 0));

/** The overlay and its place on a screen of this size; null when there is none. */
export function overlayOn(scene: Scene, columns: number, rows: number): Placed | null {
  const body = rows - 2;
  const wide = (most: number) => widthOf(most, columns);
  const place = (lines: readonly Line[], width: number): Placed => {
    const shown = lines.slice(0, body);
    return {
      lines: shown.map((line) => fitLine(line, width)),
      left: Math.floor((columns - width) / 2),
      top: 1 + Math.max(0, Math.floor((body - shown.length) / 2)),
    };
  };
  const { prompt, ui } = scene;
  if (prompt !== null) return place(promptLines(scene, prompt, ui.prompt, wide(72), body), wide(72));
  const overlay = ui.overlays.at(-1);
  switch (overlay?.is) {
    case undefined:
      return null;
    case 'help':
      return place(helpLines(scene, wide(88), body, overlay.scroll), wide(88));
    case 'confirm':
      return place(confirmLines(scene, overlay, wide(56)), wide(56));
    case 'choose':
      return place(chooseLines(scene, overlay, wide(84), body), wide(84));
    case 'ask':
      return place(askLines(scene, overlay, wide(64)), wide(64));
    case 'palette':
      return place(paletteLines(scene, overlay, wide(84), Math.min(body, 20)), wide(84));
    case 'form':
      return place(formLines(scene, overlay, wide(80), body), wide(80));
  }
}
