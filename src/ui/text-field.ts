import { graphemesOf } from '../present/graphemes.ts';
import { type KeyName, typed } from './keys.ts';

/** A line being typed and where in it the cursor stands. */
export interface TextField {
  readonly text: string;
  /** In UTF-16 units, at a grapheme's edge. */
  readonly at: number;
}

export const emptyField: TextField = { text: '', at: 0 };

export const fieldOf = (text: string): TextField => ({ text, at: text.length });

function before(text: string, at: number): number {
  let last = 0;
  for (const { index } of graphemesOf(text)) {
    if (index >= at) break;
    last = index;
  }
  return last;
}

function after(text: string, at: number): number {
  for (const { index, segment } of graphemesOf(text)) if (index >= at) return index + segment.length;
  return text.length;
}

export function insertText(field: TextField, text: string): TextField {
  const line = text.replace(/[\r\n\t]+/g, ' ').replace(/[\u0000-\u001f\u007f]/g, '');
  return { text: field.text.slice(0, field.at) + line + field.text.slice(field.at), at: field.at + line.length };
}

/** The field after a key, with the editing keys of a shell; null when the key means nothing to it. */
export function editField(field: TextField, key: KeyName): TextField | null {
  const { text, at } = field;
  switch (key) {
    case 'left':
    case 'ctrl+b':
      return { text, at: before(text, at) };
    case 'right':
    case 'ctrl+f':
      return { text, at: after(text, at) };
    case 'home':
    case 'ctrl+a':
      return { text, at: 0 };
    case 'end':
    case 'ctrl+e':
      return { text, at: text.length };
    case 'backspace': {
      const from = at === 0 ? 0 : before(text, at);
      return { text: text.slice(0, from) + text.slice(at), at: from };
    }
    case 'delete':
      return { text: text.slice(0, at) + text.slice(after(text, at)), at };
    case 'ctrl+u':
      return { text: text.slice(at), at: 0 };
    case 'ctrl+k':
      return { text: text.slice(0, at), at };
    case 'ctrl+w': {
      const from = text.slice(0, at).replace(/\S+\s*$/, '').length;
      return { text: text.slice(0, from) + text.slice(at), at: from };
    }
    default: {
      const letter = typed(key);
      return letter === null ? null : insertText(field, letter);
    }
  }
}
