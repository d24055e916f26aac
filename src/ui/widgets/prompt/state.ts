import type { Prompt, PromptAnswer } from '../../../model/host.ts';
import type { KeyName } from '../../keys.ts';
import { editField, emptyField, insertText, type TextField } from '../../text-field.ts';

/** What has been typed into the prompt on top. */
export interface PromptState {
  readonly id: string;
  readonly fields: readonly TextField[];
  readonly at: number;
  readonly remember: 'once' | 'engine';
  /** The answer is on its way. */
  readonly sent: boolean;
}

/** A fresh sheet for a prompt. One-time answers are never kept; passphrases are, as long as the engine runs. */
export function startPrompt(prompt: Prompt): PromptState {
  const many = prompt.kind === 'host_key' ? 1 : Math.max(1, prompt.fields.length);
  return {
    id: prompt.id,
    fields: Array.from({ length: many }, () => emptyField),
    at: 0,
    remember: prompt.kind === 'passphrase' || prompt.kind === 'password' ? 'engine' : 'once',
    sent: false,
  };
}

const put = (state: PromptState, field: TextField): PromptState => ({
  ...state,
  fields: state.fields.map((old, i) => (i === state.at ? field : old)),
});

export function typeInPrompt(state: PromptState, key: KeyName): PromptState {
  const next = editField(state.fields[state.at] ?? emptyField, key);
  return next === null ? state : put(state, next);
}

export function pasteInPrompt(state: PromptState, text: string): PromptState {
  return put(state, insertText(state.fields[state.at] ?? emptyField, text.replace(/[\r\n]+$/, '')));
}

export function movePrompt(state: PromptState, by: number): PromptState {
  const at = (state.at + by + state.fields.length) % state.fields.length;
  return at === state.at ? state : { ...state, at };
}

/** The answer as typed; null while it says nothing yet. */
export function answerOf(prompt: Prompt, state: PromptState): PromptAnswer | null {
  if (prompt.kind !== 'host_key') return { answers: state.fields.map(({ text }) => text), remember: state.remember };
  const text = (state.fields[0]?.text ?? '').trim();
  if (/^y(es)?$/i.test(text)) return { hostKey: 'yes' };
  if (/^no?$/i.test(text)) return { hostKey: 'no' };
  return text === '' ? null : { hostKey: text };
}
