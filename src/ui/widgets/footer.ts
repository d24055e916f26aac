import { type Line, lineWidth, type Segment, seg, spread, wrapText } from '../../present/line.ts';
import { bindingsIn } from '../keymap/keymap.ts';
import { keyLabel } from '../keys.ts';
import type { Scene } from '../scene.ts';
import { filterOf } from '../state.ts';
import { fieldLine } from './field.ts';

/** Dialogs that show their keys themselves. */
const ownKeys: ReadonlySet<Scene['context']> = new Set(['confirm', 'choose', 'ask', 'form', 'prompt', 'hostkey']);

const longestToast = 4;

/** What was just said, whole where it can be: what went wrong and what to do are seldom short. */
export function toastLines({ ui }: Scene, width: number): Line[] {
  const { toast } = ui;
  if (toast === null) return [];
  return wrapText(toast.text, width - 2)
    .slice(0, longestToast)
    .map((text) => [seg(' '), seg(text, toast.role)]);
}

/** The last line: the filter being typed, or the keys that matter here. */
export function footerLine(scene: Scene, width: number): Line {
  const { ui, glyphs, context } = scene;
  if (context === 'filter') {
    const keys = keyList(scene, Math.floor(width / 2));
    const left: Line = [
      seg(' / ', 'key', true),
      ...fieldLine(filterOf(ui), Math.max(8, width - lineWidth(keys) - 6), {
        focused: true,
        ellipsis: glyphs.ellipsis,
        example:
          ui.view.is !== 'overview'
            ? 'words, !word'
            : width >= 70
              ? 'words, state:failed, port:5432, !host:db'
              : 'words, port:80',
      }),
    ];
    return spread(left, keys, width);
  }
  if (ownKeys.has(context)) return [];
  const { text } = filterOf(ui);
  const filter: Line =
    context === ui.view.is && text !== '' ? [seg(` / ${text} `, 'ask'), seg(glyphs.dot, 'frame')] : [];
  return [...filter, ...keyList(scene, width - lineWidth(filter))];
}

/** As many keys of the context as fit, the most useful first, help and leaving always. */
export function keyList(scene: Scene, width: number): Line {
  const { glyphs, context, throwAway } = scene;
  const after = throwAway ? 'the demo ends' : 'forwards stay up';
  const listed = bindingsIn(context)
    .filter(({ footer, footerIn }) => footer !== undefined && footerIn?.includes(context) !== false)
    .sort((a, b) => (a.footer ?? 0) - (b.footer ?? 0));
  const item = (binding: (typeof listed)[number], long: boolean): Segment[] => [
    seg(keyLabel(binding.keys[0] ?? '', glyphs.ascii), binding.enabled(scene) === true ? 'key' : 'dim', true),
    seg(` ${binding.labelNow?.(scene) ?? binding.label}${long && binding.id === 'quit' ? ` (${after})` : ''}`, 'dim'),
  ];
  const gap = seg(width >= 70 ? ` ${glyphs.dot} ` : '  ', 'frame');
  for (const long of [true, false]) {
    const kept = [...listed];
    // Help and leaving go last; what else there is gives way from the back.
    while (kept.length > 0) {
      const line: Line = [
        seg(' '),
        ...kept.flatMap((binding, i) => [...(i === 0 ? [] : [gap]), ...item(binding, long)]),
      ];
      if (lineWidth(line) <= width) {
        if (long && kept.length < listed.length) break;
        return line;
      }
      const last = kept.findLastIndex(({ footer }) => (footer ?? 0) < 21);
      kept.splice(Math.max(0, last), 1);
    }
  }
  return [];
}
