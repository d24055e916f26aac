import fuzzysort from 'fuzzysort';
import { kindNames } from '../../../present/kinds.ts';
import { helpOf } from '../../keymap/binding.ts';
import { bindingsIn } from '../../keymap/keymap.ts';
import { keyLabel } from '../../keys.ts';
import type { Scene } from '../../scene.ts';
import type { PaletteEntry } from './state.ts';

// Moving about is what the keys are for; nobody looks for "next row" by its name.
const unlisted = new Set(['next', 'previous', 'page-down', 'page-up', 'first', 'last', 'palette', 'back', 'clear']);

/** Every action of the view under the palette, and every forward. */
export function paletteEntries(scene: Scene): readonly PaletteEntry[] {
  const actions = bindingsIn(scene.ui.view.is)
    .filter(({ id }) => !unlisted.has(id))
    .map((binding): PaletteEntry => {
      const able = binding.enabled(scene);
      return {
        label: `${binding.label}: ${helpOf(binding, scene)}`,
        hint: keyLabel(binding.keys[0] ?? '', scene.glyphs.ascii),
        disabled: able === true ? null : able,
        intent: { do: 'binding', id: binding.id },
      };
    });
  const forwards = scene.views.map(
    (view): PaletteEntry => ({
      label: view.name,
      hint: `${kindNames[view.kind]} ${view.listen}`,
      disabled: null,
      intent: { do: 'go', view: { is: 'detail', forward: view.name } },
    }),
  );
  return [...actions, ...forwards];
}

export function searchPalette(entries: readonly PaletteEntry[], text: string): readonly PaletteEntry[] {
  const words = text.trim();
  if (words === '') return entries;
  return fuzzysort
    .go(words, entries as PaletteEntry[], { keys: ['label', 'hint'], limit: 50, threshold: 0.2 })
    .map(({ obj }) => obj);
}
