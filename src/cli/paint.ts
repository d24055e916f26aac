import type { ColourRole } from '../present/states.ts';

/** Colours a text by its role, or leaves it alone. */
export type Paint = (role: ColourRole, text: string) => string;

const sgr: Readonly<Record<ColourRole, string>> = { good: '32', busy: '33', ask: '35', bad: '31', dim: '2', plain: '' };

/** @param on false outside a terminal and with NO_COLOR */
export function colours(on: boolean): Paint {
  return (role, text) => (on && sgr[role] !== '' && text !== '' ? `\u001b[${sgr[role]}m${text}\u001b[0m` : text);
}
