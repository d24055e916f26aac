import type { Scene } from './scene.ts';

/** The marked forwards there are: a mark outlives its forward, for the deletion may be taken back. */
export const markedForwards = ({ ui, views }: Pick<Scene, 'ui' | 'views'>): readonly string[] =>
  views.map(({ name }) => name).filter((name) => ui.marks.has(name));

/** The forwards an action is about: the marked ones on the overview, else the one under the cursor. */
export function actedOn(scene: Pick<Scene, 'ui' | 'views' | 'forward'>): readonly string[] {
  const marked = scene.ui.view.is === 'overview' ? markedForwards(scene) : [];
  if (marked.length > 0) return marked;
  return scene.forward === null ? [] : [scene.forward.name];
}
