// The state as it changes. What one turn of the loop changes is one step for whoever looks, however many actions it was.
import type { Snapshot } from '../model/snapshot.ts';
import { type Action, reduce, type Unseen } from './state.ts';

export interface LiveState {
  /** The state at this moment, for a look that keeps nothing of it. */
  peek(): Snapshot;
  /** The state at this moment, for good. */
  show(): Snapshot;
  dispatch(action: Action): void;
}

/** @param changed called with the last state that was shown and the one that is now, at the end of a turn or before a look */
export function createLiveState(first: Snapshot, changed: (before: Snapshot, after: Snapshot) => void): LiveState {
  let state = first;
  let shown = first;
  let unseen: Unseen = new WeakSet();
  let scheduled = false;

  const show = (): Snapshot => {
    while (state !== shown) {
      const before = shown;
      shown = state;
      unseen = new WeakSet();
      changed(before, shown);
    }
    return shown;
  };

  return {
    peek: () => state,
    show,
    dispatch(action) {
      const next = reduce(state, action, unseen);
      if (next === state) return;
      state = next;
      if (scheduled) return;
      scheduled = true;
      setImmediate(() => {
        scheduled = false;
        show();
      });
    },
  };
}
