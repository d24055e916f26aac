// Everything the screen remembers that the engine does not know: where the cursor is, what is open over it.
import type { EventLevel } from '../model/event.ts';
import type { HistoryRange } from '../model/reports.ts';
import type { SortKey } from '../present/forwards.ts';
import type { ColourRole } from '../present/states.ts';
import type { TypedSetting } from './actions/settings.ts';
import type { Intent } from './intents.ts';
import type { PutOff } from './put-off.ts';
import { emptyField, type TextField } from './text-field.ts';
import type { FormState } from './widgets/form/state.ts';
import type { PaletteState } from './widgets/palette/state.ts';
import type { PromptState } from './widgets/prompt/state.ts';

export const detailSections = ['flows', 'events', 'days', 'config', 'command'] as const;
export type DetailSection = (typeof detailSections)[number];

export type FlowSort = 'age' | 'rate' | 'bytes' | 'peer';

export type View =
  | { readonly is: 'overview' }
  | { readonly is: 'detail'; readonly forward: string }
  | { readonly is: 'flows' }
  | { readonly is: 'events' }
  | { readonly is: 'hosts' }
  | { readonly is: 'audit' }
  | { readonly is: 'days' }
  | { readonly is: 'network' }
  | { readonly is: 'sessions' };

export type ViewName = View['is'];

/** One thing to pick from a short list, by its key or with the cursor. */
export interface Choice {
  readonly key: string;
  readonly label: string;
  readonly help: string;
  readonly intent: Intent;
}

export type Overlay =
  | { readonly is: 'help'; readonly scroll: number }
  | {
      readonly is: 'confirm';
      readonly title: string;
      readonly lines: readonly string[];
      readonly intent: Intent;
    }
  | { readonly is: 'choose'; readonly title: string; readonly choices: readonly Choice[]; readonly at: number }
  | {
      readonly is: 'ask';
      readonly title: string;
      readonly label: string;
      readonly field: TextField;
      /** How the answer is written, where that is not plain. */
      readonly hint?: string;
      readonly purpose: AskPurpose;
    }
  | ({ readonly is: 'palette' } & PaletteState)
  | ({ readonly is: 'form' } & FormState);

/** What a single question's answer is for. */
export type AskPurpose =
  | { readonly for: 'session-new' }
  | { readonly for: 'session-rename'; readonly name: string }
  | { readonly for: 'move'; readonly names: readonly string[] }
  | { readonly for: 'trigger-open'; readonly name: string }
  | { readonly for: 'ssh-line' }
  | { readonly for: 'setting'; readonly setting: TypedSetting };

export interface Toast {
  readonly text: string;
  readonly role: ColourRole;
}

/** A place in a list: the thing it is on, and where that was, for when it goes away. */
export interface Cursor {
  readonly id: string | null;
  readonly index: number;
}

export interface UiState {
  readonly view: View;
  readonly back: readonly View[];
  readonly cursors: Readonly<Partial<Record<ViewName, Cursor | undefined>>>;
  readonly marks: ReadonlySet<string>;
  readonly sort: SortKey;
  /** What each view with a filter shows only. */
  readonly filters: Readonly<Partial<Record<ViewName, TextField>>>;
  readonly filtering: boolean;
  readonly overlays: readonly Overlay[];
  readonly prompt: PromptState | null;
  /** Prompts put off with esc, until somebody opens them from their row, or starts what waits for them. */
  readonly putOff: PutOff;
  readonly toast: Toast | null;
  readonly range: HistoryRange;
  readonly section: DetailSection;
  readonly flowSort: FlowSort;
  readonly eventLevel: EventLevel;
  readonly eventForward: string | null;
  readonly follow: boolean;
}

export const initialState: UiState = {
  view: { is: 'overview' },
  back: [],
  cursors: {},
  marks: new Set(),
  sort: 'config',
  filters: {},
  filtering: false,
  overlays: [],
  prompt: null,
  putOff: new Map(),
  toast: null,
  range: '5m',
  section: 'flows',
  flowSort: 'age',
  eventLevel: 'info',
  eventForward: null,
  follow: true,
};

export type Action =
  | { readonly do: 'go'; readonly view: View }
  | { readonly do: 'back' }
  | { readonly do: 'cursor'; readonly view: ViewName; readonly cursor: Cursor }
  | { readonly do: 'open'; readonly overlay: Overlay }
  | { readonly do: 'close' }
  | { readonly do: 'update'; readonly overlay: Overlay }
  | { readonly do: 'toggle-mark'; readonly name: string }
  | { readonly do: 'set'; readonly patch: Partial<UiState> };

/** The next state; the same object when nothing changed. */
export function reduce(state: UiState, action: Action): UiState {
  switch (action.do) {
    case 'go':
      if (sameView(state.view, action.view)) return state;
      return {
        ...state,
        ...(action.view.is === 'detail' ? { cursors: { ...state.cursors, detail: undefined } } : {}),
        view: action.view,
        back:
          action.view.is === 'overview'
            ? []
            : [...state.back.filter((view) => !sameView(view, action.view)), state.view],
      };
    case 'back': {
      const view = state.back.at(-1);
      if (view === undefined) return state;
      return { ...state, view, back: state.back.slice(0, -1) };
    }
    case 'cursor': {
      const old = state.cursors[action.view];
      if (old?.id === action.cursor.id && old?.index === action.cursor.index) return state;
      return { ...state, cursors: { ...state.cursors, [action.view]: action.cursor } };
    }
    case 'open':
      return { ...state, overlays: [...state.overlays, action.overlay] };
    case 'close':
      return state.overlays.length === 0 ? state : { ...state, overlays: state.overlays.slice(0, -1) };
    case 'update':
      return { ...state, overlays: [...state.overlays.slice(0, -1), action.overlay] };
    case 'toggle-mark': {
      const marks = new Set(state.marks);
      if (!marks.delete(action.name)) marks.add(action.name);
      return { ...state, marks };
    }
    case 'set': {
      const changed = Object.entries(action.patch).some(([key, value]) => state[key as keyof UiState] !== value);
      return changed ? { ...state, ...action.patch } : state;
    }
  }
}

/** The filter of the view that is shown, or of another. */
export const filterOf = (ui: Pick<UiState, 'filters' | 'view'>, view = ui.view.is): TextField =>
  ui.filters[view] ?? emptyField;

/** The change of state that gives the view another filter. */
export const withFilter = (ui: UiState, filter: TextField, view = ui.view.is): Partial<UiState> =>
  filterOf(ui, view) === filter ? {} : { filters: { ...ui.filters, [view]: filter } };

function sameView(a: View, b: View): boolean {
  return a.is === b.is && (a.is !== 'detail' || b.is !== 'detail' || a.forward === b.forward);
}

/** Where a cursor stands in a list of ids: on its thing, or where that was. Null in an empty list. */
export function placeOf(cursor: Cursor | undefined, ids: readonly string[]): Cursor | null {
  if (ids.length === 0) return null;
  const found = cursor?.id == null ? -1 : ids.indexOf(cursor.id);
  const index = found >= 0 ? found : Math.min(Math.max(0, cursor?.index ?? 0), ids.length - 1);
  return { id: ids[index] ?? null, index };
}
