import type { Intent } from '../../intents.ts';
import { emptyField, type TextField } from '../../text-field.ts';

/** Something the palette can find: an action or a forward. */
export interface PaletteEntry {
  readonly label: string;
  readonly hint: string;
  /** Why it cannot be done right now; null when it can. */
  readonly disabled: string | null;
  readonly intent: Intent;
}

export interface PaletteState {
  readonly field: TextField;
  readonly at: number;
}

export const emptyPalette: PaletteState = { field: emptyField, at: 0 };
