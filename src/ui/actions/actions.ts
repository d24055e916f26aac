import type { Core } from './core.ts';
import { dialogActions } from './dialogs.ts';
import { formActions } from './form.ts';
import { forwardActions } from './forwards.ts';
import { movingActions } from './moving.ts';
import { promptActions } from './prompt.ts';
import { settingsActions } from './settings.ts';

/** Everything a key can do. */
export function createActions(core: Core, more: { togglePause(): void; retryEngine(): void }) {
  return {
    scene: core.scene,
    set: core.set,
    say: core.say,
    perform: core.perform,
    quit: () => core.terminal.quit(),
    suspend: () => core.terminal.suspend(),
    ...more,
    ...movingActions(core),
    ...forwardActions(core),
    ...dialogActions(core),
    ...formActions(core),
    ...promptActions(core),
    ...settingsActions(core),
  };
}

export type Actions = ReturnType<typeof createActions>;
