// A form for one forward: fields, where the cursor is, what the engine says about it so far.
import type { Forward, ForwardKind } from '../../../model/config.ts';
import type { Preview } from '../../../protocol/methods.ts';
import type { KeyName } from '../../keys.ts';
import { editField, fieldOf, insertText, type TextField } from '../../text-field.ts';
import type { FieldId } from './fields.ts';

/** What the fields come to. */
export interface Built {
  /** Null while something is missing or wrong, and before the schema is there to say. */
  readonly forward: Forward | null;
  readonly errors: Readonly<Partial<Record<FieldId, string>>>;
  /** Fields that must be filled and are not. */
  readonly missing: readonly FieldId[];
}

export interface FormState {
  readonly kind: ForwardKind;
  /** The forward being edited; null for a new one. */
  readonly editing: Forward | null;
  /** What the form does not ask for comes from here: the edited forward, or what a pasted line said. */
  readonly base: Forward | null;
  readonly fields: Readonly<Partial<Record<FieldId, TextField>>>;
  readonly built: Built;
  readonly order: readonly FieldId[];
  readonly at: number;
  /** Whether the fields beyond the first few are shown. */
  readonly more: boolean;
  /** The name follows the other fields until it is typed. */
  readonly named: boolean;
  /** Hosts the ssh configuration names, for completion. */
  readonly hosts: readonly string[];
  readonly preview: Preview | null;
  /** Which of the offered completions is chosen; -1: none. */
  readonly pick: number;
  readonly touched: readonly FieldId[];
  /** Fields the cursor has left, or that kept the form from being saved: what is wrong there is no longer half typed. */
  readonly left: readonly FieldId[];
  readonly sent: boolean;
  /** What the engine answered when it refused. */
  readonly refusal: string | null;
}

export const currentField = (form: FormState): FieldId => form.order[form.at] ?? 'name';

export const textIn = (form: FormState, id: FieldId): string => form.fields[id]?.text.trim() ?? '';

function withField(form: FormState, id: FieldId, field: TextField): FormState {
  const touched = form.touched.includes(id) ? form.touched : [...form.touched, id];
  return {
    ...form,
    fields: { ...form.fields, [id]: field },
    touched,
    pick: -1,
    refusal: null,
    named: form.named || id === 'name',
  };
}

export function typeInForm(form: FormState, key: KeyName): FormState {
  const id = currentField(form);
  const old = form.fields[id] ?? fieldOf('');
  const next = editField(old, key);
  if (next === null || next === old) return form;
  return next.text === old.text ? { ...form, fields: { ...form.fields, [id]: next } } : withField(form, id, next);
}

export function pasteInForm(form: FormState, text: string): FormState {
  const id = currentField(form);
  return withField(form, id, insertText(form.fields[id] ?? fieldOf(''), text.trim()));
}

export function setField(form: FormState, id: FieldId, text: string): FormState {
  return withField(form, id, fieldOf(text));
}

export const leave = (form: FormState, id: FieldId): FormState =>
  form.left.includes(id) ? form : { ...form, left: [...form.left, id] };

export function moveInForm(form: FormState, by: number): FormState {
  const at = Math.max(0, Math.min(form.order.length - 1, form.at + by));
  return at === form.at ? form : { ...leave(form, currentField(form)), at, pick: -1 };
}
