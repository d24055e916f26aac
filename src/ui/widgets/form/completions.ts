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

const yesNo = { yes: '', no: '' };

/** The fields that take one of a few words, and what each word means. */
export const fixedChoices: Partial<Record<FieldId, Readonly<Record<string, string>>>> = {
  proto: { tcp: '', udp: '', both: '' },
  via: {
    relay: 'this program, no privileges needed',
    nftables: "this machine's kernel",
    router: 'the router in front of this machine',
    remote: 'the SSH server that carried the call',
  },
  second: {
    first: 'a second host waits until it is closed',
    last: 'a second host takes it over',
  },
  source: { kernel: 'whatever this machine routes', flows: 'what goes through forwards of this program' },
  closeFlows: yesNo,
  proxyProtocol: yesNo,
  masquerade: yesNo,
  force: yesNo,
  helper: { ftp: '', sip: '', h323: '', tftp: '', pptp: '', irc: '' },
};

/** Times somebody may well mean. */
const times: Partial<Record<FieldId, readonly string[]>> = {
  idle: ['1m', '10m', '1h'],
  idleFlow: ['10m', '1h', '8h'],
  maxOpen: ['1h', '8h', '1d'],
  until: ['1h', '8h', '1d'],
  probe: ['10s', '1m', '10m', 'off'],
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
    case 'from':
      return devices(scene);
    default:
      return [
        ...Object.entries(fixedChoices[id] ?? {})
          .filter(([word]) => word !== 'remote' || form.kind === 'trigger')
          .map(([text, hint]) => ({ text, hint })),
        ...of(times[id] ?? []),
      ];
  }
}

/** What could stand in the current field, given what is typed. */
export function completionsFor(scene: Scene, form: FormState): readonly Completion[] {
  const id = currentField(form);
  const typed = textIn(form, id).toLowerCase();
  const offered = all(scene, form, id);
  const exact = offered.some(({ text }) => text.toLowerCase() === typed);
  if (exact) return fixedChoices[id] === undefined ? [] : offered;
  return offered.filter(({ text, hint }) => text.toLowerCase().includes(typed) || hint.toLowerCase().includes(typed));
}
