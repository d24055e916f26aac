// Turns what Ink hands over into key names. Keys that arrive in one read come as one string ("jjj\r"): each becomes
// its own press.

import type { Key } from 'ink';
import { graphemesOf } from '../present/graphemes.ts';

/** `j`, `G`, `enter`, `esc`, `up`, `ctrl+c`, `shift+tab` …: the spelling of the key table. */
export type KeyName = string;

const named: readonly (readonly [keyof Key, KeyName])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
];

const controls: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u001b': 'esc',
  '\u007f': 'backspace',
  '\b': 'backspace',
  ' ': 'space',
};

/** The presses in a piece of typed text, in order. */
export function keysOfText(text: string): KeyName[] {
  const keys: KeyName[] = [];
  for (const { segment } of graphemesOf(text)) {
    const parts =
      segment === '\r\n' ? ['\r'] : segment.length > 1 && /[\u0000-\u001f]/.test(segment) ? [...segment] : [segment];
    for (const part of parts) {
      const code = part.charCodeAt(0);
      const control = controls[part];
      if (control !== undefined) keys.push(control);
      else if (code < 32) keys.push(`ctrl+${String.fromCharCode(code + 96)}`);
      else keys.push(part);
    }
  }
  return keys;
}

/** The presses in one event of Ink's `useInput`. */
export function keysOfInput(input: string, key: Key): KeyName[] {
  for (const [flag, name] of named) if (key[flag] === true) return [name];
  if (key.tab) return [key.shift ? 'shift+tab' : 'tab'];
  if (key.escape) return ['esc'];
  if (key.ctrl && input.length === 1) return input === ' ' ? [] : [`ctrl+${input}`];
  // Alt is not used here: what a terminal sends as alt+j may as well be esc and j, typed fast.
  if (key.meta && input !== '') return ['esc', ...keysOfText(input)];
  return keysOfText(input);
}

/** What a key types into a field, or null when it types nothing. */
export function typed(key: KeyName): string | null {
  if (key === 'space') return ' ';
  const parts = [...graphemesOf(key)];
  return parts.length === 1 ? key : null;
}

const shown: Readonly<Record<KeyName, string>> = {
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
  pageup: 'PgUp',
  pagedown: 'PgDn',
};

/** A key as footer, help and docs write it. */
export function keyLabel(key: KeyName, ascii = false): string {
  return (ascii ? undefined : shown[key]) ?? key;
}
