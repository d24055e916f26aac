import { type Group, groups, groupTitles } from '../../present/kinds.ts';
import { shownEvents } from '../scene.ts';
import { detailSections, filterOf, type View, withFilter } from '../state.ts';
import { emptyField } from '../text-field.ts';
import type { Core } from './core.ts';

/** What the key of a panel makes while nothing at all is defined. */
const firstKinds = { tunnels: 'local', mappings: 'mapping', triggers: 'trigger' } as const;

export function movingActions(core: Core) {
  const cursorTo = (index: number) => {
    const { ids, ui } = core.scene();
    const at = Math.max(0, Math.min(ids.length - 1, index));
    core.act({ do: 'cursor', view: ui.view.is, cursor: { id: ids[at] ?? null, index: at } });
  };
  const groupAtCursor = (): Group | null => {
    const { rows, place } = core.scene();
    return groups.find((group) => rows[group].some(({ view }) => view.name === place?.id)) ?? null;
  };
  const panel = (group: Group) => {
    const { rows, ids, counts, views } = core.scene();
    const first = rows[group][0];
    if (first === undefined) {
      if (views.length === 0) {
        core.perform({ do: 'form', kind: firstKinds[group] });
        return;
      }
      core.say(
        counts[group] > 0 ? `no ${groupTitles[group]} match the filter` : `no ${groupTitles[group]} yet: n makes one`,
        'busy',
      );
      return;
    }
    if (groupAtCursor() !== group) cursorTo(ids.indexOf(first.view.name));
  };

  return {
    move(by: number) {
      const { place, ids, ui } = core.scene();
      if (ids.length === 0) return;
      // The last row is where the new ones come; any other is read in peace.
      if (ui.view.is === 'events') core.set({ follow: by === Number.POSITIVE_INFINITY });
      cursorTo((place?.index ?? 0) + by);
    },
    panel(group: Group) {
      const elsewhere = core.scene().ui.view.is !== 'overview';
      if (elsewhere) core.act({ do: 'go', view: { is: 'overview' } });
      if (!elsewhere || core.scene().rows[group].length > 0) panel(group);
    },
    nextPanel(by: number) {
      const { rows } = core.scene();
      const filled = groups.filter((group) => rows[group].length > 0);
      const at = filled.indexOf(groupAtCursor() ?? 'tunnels');
      const group = filled[(at + by + filled.length) % filled.length];
      if (group !== undefined) panel(group);
    },
    go(view: View) {
      core.act({ do: 'go', view });
    },
    back() {
      const { ui } = core.scene();
      if (filterOf(ui).text !== '') core.set(withFilter(ui, emptyField));
      else if (ui.back.length > 0) core.act({ do: 'back' });
      else core.act({ do: 'go', view: { is: 'overview' } });
    },
    clear() {
      const { ui } = core.scene();
      core.set({
        ...(filterOf(ui).text === '' ? {} : withFilter(ui, emptyField)),
        filtering: false,
        ...(filterOf(ui).text === '' && !ui.filtering && ui.marks.size > 0 ? { marks: new Set<string>() } : {}),
      });
    },
    /** The next section of the details, or the one before; each begins at its own start. */
    turnSection(by: number) {
      const { ui } = core.scene();
      const at = detailSections.indexOf(ui.section) + by + detailSections.length;
      const section = detailSections[at % detailSections.length] ?? 'flows';
      core.set({ section, cursors: { ...ui.cursors, detail: undefined } });
    },
    toggleFollow() {
      const { ui, place } = core.scene();
      // What was followed until now is where reading begins.
      if (ui.follow && place !== null) cursorTo(place.index);
      core.set({ follow: !ui.follow });
    },
    toggleEventForward() {
      const { ui, place, resources } = core.scene();
      if (ui.eventForward !== null) {
        core.set({ eventForward: null });
        return;
      }
      const event = shownEvents({ ui, resources }).find(({ seq }) => String(seq) === place?.id);
      if (event?.forward == null) core.say('that event is about no forward', 'busy');
      else core.set({ eventForward: event.forward });
    },
    reload() {
      const { ui, resources } = core.scene();
      for (const what of ui.view.is === 'network' ? (['router', 'devices'] as const) : (['audit'] as const)) {
        resources.reload(what);
      }
      core.say('asking again');
    },
  };
}
