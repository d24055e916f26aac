import type { Scene } from '../scene.ts';
import { always, type Binding } from './binding.ts';

const topForm = ({ ui }: Scene) => {
  const top = ui.overlays.at(-1);
  return top?.is === 'form' ? top : null;
};

export const formKeys: readonly Binding[] = [
  // form
  {
    id: 'form-next',
    keys: ['tab', 'down'],
    contexts: ['form'],
    label: 'next',
    help: 'take the completion, else next field',
    enabled: always,
    run: (a, key) => a.formNext(key),
    footer: 2,
  },
  {
    id: 'form-previous',
    keys: ['shift+tab', 'up'],
    contexts: ['form'],
    label: 'previous',
    help: 'previous field',
    enabled: always,
    run: (a) => a.formMove(-1),
  },
  {
    id: 'form-complete',
    keys: ['ctrl+n'],
    contexts: ['form'],
    label: 'complete',
    help: 'next of the offered completions',
    enabled: always,
    run: (a) => a.formPick(1),
  },
  {
    id: 'form-complete-back',
    keys: ['ctrl+p'],
    contexts: ['form'],
    label: 'complete back',
    help: 'previous completion',
    enabled: always,
    run: (a) => a.formPick(-1),
  },
  {
    id: 'form-more',
    keys: ['ctrl+o'],
    contexts: ['form'],
    label: 'more fields',
    labelNow: (scene) => (topForm(scene)?.more ? 'fewer fields' : 'more fields'),
    help: 'show or hide the fields that are seldom needed',
    enabled: always,
    run: (a) => a.formMore(),
    footer: 3,
  },
  {
    id: 'form-save',
    keys: ['ctrl+s'],
    contexts: ['form'],
    label: 'save',
    help: 'save, wherever the cursor is',
    enabled: always,
    run: (a) => a.formSave(),
  },
  {
    id: 'form-take',
    keys: ['enter'],
    contexts: ['form'],
    label: 'save',
    help: 'save; with something missing, on to it',
    enabled: always,
    run: (a) => a.formEnter(),
    footer: 1,
  },
  {
    id: 'form-close',
    keys: ['esc'],
    contexts: ['form'],
    label: 'back',
    help: 'leave without saving',
    enabled: always,
    run: (a) => a.close(),
    footer: 4,
  },
];
