// The one table of keys: dispatch, footer, help, palette and the docs are made from it. A key exists only here.
import type { KeyName } from '../keys.ts';
import type { Context } from '../scene.ts';
import type { Binding } from './binding.ts';
import { dialogKeys } from './dialogs.ts';
import { formKeys } from './form.ts';
import { forwardKeys } from './forwards.ts';
import { moving } from './moving.ts';
import { viewKeys } from './views.ts';

export const keymap: readonly Binding[] = [...moving, ...forwardKeys, ...viewKeys, ...dialogKeys, ...formKeys];

const byContext = new Map<Context, Map<KeyName, Binding>>();

/** What a key does in a context. */
export function bindingFor(context: Context, key: KeyName): Binding | null {
  if (byContext.size === 0) {
    for (const binding of keymap) {
      for (const where of binding.contexts) {
        const keys = byContext.get(where) ?? new Map<KeyName, Binding>();
        byContext.set(where, keys);
        for (const name of binding.keys) keys.set(name, binding);
      }
    }
  }
  return byContext.get(context)?.get(key) ?? null;
}

export function bindingsIn(context: Context): readonly Binding[] {
  return keymap.filter(({ contexts }) => contexts.includes(context));
}
