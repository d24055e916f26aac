// What a person wants done, as plain data: bindings, dialogs and the palette all end in one of these.
import type { Client } from '../client/client.ts';
import type { Settings } from '../model/config.ts';
import type { ForwardView } from '../model/snapshot.ts';
import { count } from '../present/quantity.ts';
import type { TypedSetting } from './actions/settings.ts';
import type { View } from './state.ts';

/** Asked of the engine. */
export type EngineIntent =
  | { readonly do: 'up' | 'down' | 'restart' | 'remove'; readonly names: readonly string[] }
  | { readonly do: 'session-up' | 'session-down' | 'session-remove'; readonly session: string }
  | { readonly do: 'session-save'; readonly session: string; readonly rename?: string }
  | { readonly do: 'move'; readonly names: readonly string[]; readonly session: string }
  | { readonly do: 'undo' }
  | { readonly do: 'kill'; readonly flow: string }
  | { readonly do: 'trigger-open'; readonly name: string; readonly host: string }
  | { readonly do: 'trigger-close'; readonly name: string }
  | { readonly do: 'settings'; readonly patch: Partial<Settings>; readonly done: string }
  | { readonly do: 'router-delete'; readonly proto: 'tcp' | 'udp'; readonly external: number };

/** Changes of the screen alone. */
export type ScreenIntent =
  | { readonly do: 'go'; readonly view: View }
  | {
      readonly do: 'form';
      readonly kind: 'local' | 'remote' | 'dynamic' | 'mapping' | 'trigger';
      readonly edit?: string;
    }
  | { readonly do: 'paste-ssh' }
  | { readonly do: 'choose-theme' }
  | { readonly do: 'ask-setting'; readonly setting: TypedSetting }
  | { readonly do: 'fill-ssh'; readonly line: string }
  | { readonly do: 'binding'; readonly id: string };

export type Intent = EngineIntent | ScreenIntent;

const few = (names: readonly string[]) => (names.length === 1 ? (names[0] ?? '') : count(names.length, 'forward'));

/** The forwards it starts, or starts anew. */
export function startedBy(intent: EngineIntent, views: readonly ForwardView[]): readonly string[] {
  if (intent.do === 'up' || intent.do === 'restart') return intent.names;
  if (intent.do !== 'session-up') return [];
  return views.filter(({ session }) => session === intent.session).map(({ name }) => name);
}

/**
 * Does it, and says in a few words what was done.
 * @throws SallyportError as the engine says
 */
export async function perform(client: Client, intent: EngineIntent): Promise<string> {
  switch (intent.do) {
    case 'up':
    case 'down':
    case 'restart': {
      await client.call(intent.do, { names: [...intent.names] });
      const words = { up: 'starting', down: 'stopped', restart: 'restarting' };
      return `${words[intent.do]} ${few(intent.names)}`;
    }
    case 'remove':
      await client.call('remove', { names: [...intent.names] });
      return `deleted ${few(intent.names)}; u brings it back`;
    case 'session-up':
      await client.call('up', { session: intent.session });
      return `starting session ${intent.session}`;
    case 'session-down':
      await client.call('down', { session: intent.session });
      return `stopped session ${intent.session}`;
    case 'session-remove':
      await client.call('removeSession', { name: intent.session });
      return `deleted session ${intent.session}`;
    case 'session-save':
      await client.call('saveSession', {
        name: intent.session,
        ...(intent.rename === undefined ? {} : { rename: intent.rename }),
      });
      return intent.rename === undefined
        ? `made session ${intent.session}`
        : `session ${intent.session} is now ${intent.rename}`;
    case 'move':
      await client.call('move', { names: [...intent.names], session: intent.session });
      return `moved ${few(intent.names)} to session ${intent.session}`;
    case 'undo':
      return `undone: ${(await client.call('undo', {})).undone}`;
    case 'kill':
      await client.call('kill', { flow: intent.flow });
      return 'flow ended';
    case 'trigger-open': {
      const opened = await client.call('openTrigger', { name: intent.name, host: intent.host });
      return `${intent.name} holds ${count(opened.length, 'opening')} for ${intent.host}`;
    }
    case 'trigger-close':
      await client.call('closeTrigger', { name: intent.name });
      return `${intent.name} closed`;
    case 'settings':
      await client.call('saveSettings', { patch: intent.patch });
      return intent.done;
    case 'router-delete':
      await client.call('routerDelete', { proto: intent.proto, external: intent.external });
      return `the router's mapping ${intent.proto}/${intent.external} is gone`;
  }
}
