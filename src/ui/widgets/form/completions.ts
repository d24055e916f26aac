import { isSshForward } from '../../../model/kinds.ts';
import type { Scene } from '../../scene.ts';
import type { FieldId } from './fields.ts';
import { presetsFor } from './preset.ts';
import { currentField, type FormState, textIn } from './state.ts';

export interface Completion {
  readonly text: string;
  readonly hint: string;
}

const of = (texts: Iterable<string>, hint = ''): Completion[] => [...new Set(texts)].map((text) => ({ text, hint }));

function hosts({ picture }: Scene, configured: readonly string[]): Completion[] {
  const { links = {}, forwards = {} } = picture?.snapshot ?? {};
  return of([
    ...Object.values(forwards).flatMap(({ config }) => (isSshForward(config) ? [config.host] : [])),
    ...Object.values(links).map(({ spec }) => spec.dest),
    ...configured,
  ]);
}

function devices({ resources }: Scene): Completion[] {
  return (resources.get({ what: 'devices' }).value ?? []).map(({ address, name, lease, source }) => ({
    text: address,
    hint: [name ?? '', lease === 'unknown' ? source : `${lease} lease`].filter((part) => part !== '').join(', '),
  }));
}

const gateways: Readonly<Record<string, string>> = {
  relay: 'this program, no privileges needed',
  nftables: "this machine's kernel",
  router: 'the router in front of this machine',
  remote: 'the SSH server that carried the call',
};

function all(scene: Scene, form: FormState, id: FieldId): Completion[] {
  switch (id) {
    case 'host':
      return hosts(scene, form.hosts);
    case 'target':
      return form.kind === 'mapping'
        ? devices(scene)
        : of(scene.views.filter(({ kind }) => kind === form.kind).flatMap(({ target }) => target ?? []));
    case 'session':
      return of(Object.keys(scene.picture?.snapshot.sessions ?? {}));
    case 'preset':
      return presetsFor(form).map(({ name, title }) => ({ text: name, hint: title }));
    case 'proto':
      return of(['tcp', 'udp', 'both']);
    case 'via':
      return Object.entries(gateways)
        .filter(([via]) => via !== 'remote' || form.kind === 'trigger')
        .map(([text, hint]) => ({ text, hint }));
    case 'idle':
      return of(['1m', '10m', '1h']);
    default:
      return [];
  }
}

/** What could stand in the current field, given what is typed. */
export function completionsFor(scene: Scene, form: FormState): readonly Completion[] {
  const id = currentField(form);
  const typed = textIn(form, id).toLowerCase();
  const offered = all(scene, form, id);
  const exact = offered.some(({ text }) => text.toLowerCase() === typed);
  if (exact) return id === 'proto' || id === 'via' ? offered : [];
  return offered.filter(({ text, hint }) => text.toLowerCase().includes(typed) || hint.toLowerCase().includes(typed));
}
