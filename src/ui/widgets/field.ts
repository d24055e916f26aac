import { graphemesOf } from '../../present/graphemes.ts';
import { cutText, type Line, seg, textWidth } from '../../present/line.ts';
import type { TextField } from '../text-field.ts';

export interface FieldLook {
  readonly focused: boolean;
  /** Shown while nothing is typed. */
  readonly example?: string;
  readonly hidden?: boolean;
  readonly ellipsis?: string;
}

/** A field as typed, the cursor a cell of its own; long texts show the part around the cursor. */
export function fieldLine(
  field: TextField,
  width: number,
  { focused, example = '', hidden = false, ellipsis = '…' }: FieldLook,
): Line {
  const text = hidden ? '*'.repeat([...graphemesOf(field.text)].length) : field.text;
  const at = hidden ? [...graphemesOf(field.text.slice(0, field.at))].length : field.at;
  if (text === '') {
    const hint = seg(cutText(example, width - 1, ellipsis), 'dim');
    return focused ? [{ ...seg(' ', 'input'), back: 'cursor' }, hint] : [seg(' '), hint];
  }
  if (!focused) return [seg(cutText(text, width, ellipsis), 'plain')];
  let before = text.slice(0, at);
  const [under = ''] = [...graphemesOf(text.slice(at))].map(({ segment }) => segment);
  let after = text.slice(at + under.length);
  const room = Math.max(1, width - textWidth(under === '' ? ' ' : under));
  while (textWidth(before) > room)
    before = [...graphemesOf(before)]
      .slice(1)
      .map(({ segment }) => segment)
      .join('');
  while (textWidth(before) + textWidth(after) > room && after !== '') {
    after = [...graphemesOf(after)]
      .slice(0, -1)
      .map(({ segment }) => segment)
      .join('');
  }
  return [seg(before, 'input'), { ...seg(under === '' ? ' ' : under, 'input'), back: 'cursor' }, seg(after, 'input')];
}
