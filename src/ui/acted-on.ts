import type { Scene } from './scene.ts';

/** The forwards an action is about: the marked ones on the overview, else the one under the cursor. */
export function actedOn(scene: Pick<Scene, 'ui' | 'views' | 'forward'>): readonly string[] {
  const marked = scene.ui.view.is === 'overview' ? scene.views.filter(({ name }) => scene.ui.marks.has(name)) : [];
  if (marked.length > 0) return marked.map(({ name }) => name);
  return scene.forward === null ? [] : [scene.forward.name];
}
