import type { Client } from '../../client/client.ts';
import type { ForwardSchema } from '../../model/config.ts';
import type { ColourRole } from '../../present/states.ts';
import type { Clock } from '../clock.ts';
import type { Intent } from '../intents.ts';
import type { Scene } from '../scene.ts';
import type { Action, Overlay, UiState } from '../state.ts';

/** What the actions are built on. */
export interface Core {
  scene(): Scene;
  act(action: Action): void;
  set(patch: Partial<UiState>): void;
  /** A line at the bottom that goes away by itself. */
  say(text: string, role?: ColourRole): void;
  /** Does it, then says so, or says why not. */
  perform(intent: Intent): void;
  /** The engine; null, with a word about it, when it is not there. */
  client(): Client | null;
  readonly clock: Clock;
  /** Host names from the person's ssh configuration. */
  readonly sshHosts: () => readonly string[];
  /** What a form's forward is checked by. */
  readonly schema: Promise<ForwardSchema>;
  readonly terminal: TerminalDoor;
}

/** What only the terminal's owner can do. */
export interface TerminalDoor {
  /** Puts text on the clipboard of the terminal (OSC 52). */
  copy(text: string): void;
  suspend(): void;
  quit(): void;
  /** Bell and a desktop notification (OSC 9). */
  notify(text: string): void;
}

/** The overlay on top, when it is of this kind. */
export function topOverlay<K extends Overlay['is']>(core: Core, is: K): Extract<Overlay, { is: K }> | null {
  const top = core.scene().ui.overlays.at(-1);
  return top?.is === is ? (top as Extract<Overlay, { is: K }>) : null;
}
