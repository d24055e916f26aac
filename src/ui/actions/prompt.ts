import { toFailure } from '../../model/errors.ts';
import { putOffPrompt } from '../put-off.ts';
import {
  answerOf,
  movePrompt,
  type PromptState,
  pasteInPrompt,
  startPrompt,
  typeInPrompt,
} from '../widgets/prompt/state.ts';
import type { Core } from './core.ts';

const loneYesMs = 700;

/** Answering what the engine asks. */
export function promptActions(core: Core) {
  let cancelYes = () => {};
  const current = (): PromptState | null => {
    const { prompt, ui } = core.scene();
    if (prompt === null) return null;
    return ui.prompt?.id === prompt.id ? ui.prompt : startPrompt(prompt);
  };
  const update = (change: (state: PromptState) => PromptState) => {
    const state = current();
    if (state !== null) core.set({ prompt: change(state) });
  };

  const answer = () => {
    cancelYes();
    const { prompt } = core.scene();
    const state = current();
    const client = core.client();
    if (prompt === null || state === null || state.sent || client === null) return;
    if (state.at < state.fields.length - 1) {
      core.set({ prompt: movePrompt(state, 1) });
      return;
    }
    const said = answerOf(prompt, state);
    if (said === null) {
      core.say('yes, no, or the fingerprint in full', 'busy');
      return;
    }
    core.set({ prompt: { ...state, sent: true } });
    const sent =
      'hostKey' in said ? { hostKey: said.hostKey } : { answers: [...said.answers], remember: said.remember };
    client.call('answer', { prompt: prompt.id, answer: sent }).then(
      () => core.set({ prompt: null }),
      (error: unknown) => {
        core.set({ prompt: null });
        core.say(toFailure(error).message, 'bad');
      },
    );
  };

  return {
    typePrompt(key: string) {
      cancelYes();
      update((state) => typeInPrompt(state, key));
      // A host key may be accepted by y alone; whoever goes on to type "yes", or something else, is not cut short.
      const { prompt } = core.scene();
      if (prompt?.kind === 'host_key' && current()?.fields[0]?.text === 'y')
        cancelYes = core.clock.after(loneYesMs, answer);
    },
    pastePrompt: (text: string) => update((state) => pasteInPrompt(state, text)),
    movePrompt: (by: number) => update((state) => movePrompt(state, by)),
    toggleRemember: () => update((state) => ({ ...state, remember: state.remember === 'once' ? 'engine' : 'once' })),
    answerPrompt: answer,
    putOffPrompt() {
      const { prompt, ui, picture, views } = core.scene();
      cancelYes();
      if (prompt === null || picture === null) return;
      core.set({ putOff: putOffPrompt(ui.putOff, prompt.id, picture.snapshot, views), prompt: null });
      core.say('put off; enter on its row brings it back');
    },
  };
}
