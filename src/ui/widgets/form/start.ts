// How a form begins: empty, or with the texts of a forward there is.
import type { Forward, ForwardKind, Listen } from '../../../model/config.ts';
import { formatEndpoint } from '../../../model/endpoint.ts';
import { isSshForward, triggerSets } from '../../../model/kinds.ts';
import { formatPortRange } from '../../../model/ports.ts';
import { shellQuote } from '../../../model/shell-words.ts';
import { fieldOf } from '../../text-field.ts';
import { type FieldId, fieldsShown, formFields } from './fields.ts';
import { currentField, type FormState, textIn } from './state.ts';
import { untilEnd, valueFields } from './values.ts';

const listenText = (listen: Listen) =>
  'socket' in listen
    ? listen.socket
    : listen.address === undefined
      ? String(listen.port)
      : formatEndpoint({ host: listen.address, port: listen.port });

/** The fields' texts of a forward to be edited. */
export function textsOf(forward: Forward, now: number): Partial<Record<FieldId, string>> {
  const common: Partial<Record<FieldId, string>> = {
    name: forward.name,
    until: forward.until === undefined ? '' : untilEnd(forward.until, now),
  };
  for (const [id, { write }] of valueFields) {
    const value = (forward as Record<string, unknown>)[id];
    if (value !== undefined) common[id] = write(value);
  }
  if (isSshForward(forward)) {
    return {
      ...common,
      host: forward.host,
      listen: listenText(forward.listen),
      target: forward.kind === 'dynamic' || forward.target === undefined ? '' : formatEndpoint(forward.target),
      jump: forward.ssh?.jump ?? '',
      identity: (forward.ssh?.identities ?? []).join(', '),
      options: shellQuote(forward.ssh?.options ?? []),
    };
  }
  if (forward.kind === 'mapping') {
    const { listen, target } = forward;
    const ports = formatPortRange({ first: listen.port, last: listen.last ?? listen.port });
    return {
      ...common,
      listen: listen.address === undefined ? ports : formatEndpoint({ host: listen.address, port: ports }),
      target: target.port === listen.port ? target.host : formatEndpoint(target),
      proto: forward.proto,
      via: forward.via,
    };
  }
  const sets = (of: readonly { proto: string; ports: string }[]) =>
    of.map(({ proto, ports }) => `${proto}/${ports}`).join(', ');
  return {
    ...common,
    on: sets(triggerSets(forward.on)),
    open: sets(forward.open),
    via: forward.via,
    idle: forward.idle,
  };
}

const kindDefaults: Readonly<Record<ForwardKind, Partial<Record<FieldId, string>>>> = {
  local: {},
  remote: {},
  dynamic: { listen: '1080' },
  mapping: { proto: 'tcp', via: 'relay' },
  trigger: { via: 'relay', idle: '10m' },
};

/** A form for a new forward of a kind, or for one there is. */
export function startForm(kind: ForwardKind, editing: Forward | null, now: number): FormState {
  const { few, more } = formFields[kind];
  const texts = editing === null ? kindDefaults[kind] : textsOf(editing, now);
  return arrangeFields({
    kind,
    editing,
    base: editing,
    fields: Object.fromEntries([...few, ...more].map((id) => [id, fieldOf(texts[id] ?? '')])),
    built: { forward: null, errors: {}, missing: [] },
    order: few,
    at: 0,
    more: false,
    named: editing !== null,
    hosts: [],
    preview: null,
    pick: -1,
    touched: [],
    left: [],
    sent: false,
    refusal: null,
  });
}

/** The form with the fields that are to be shown, the cursor where it was. */
export function arrangeFields(form: FormState): FormState {
  const order = fieldsShown(form.kind, (id) => textIn(form, id), { editing: form.editing !== null, all: form.more });
  return { ...form, order, at: Math.max(0, order.indexOf(currentField(form))) };
}

/** The same form with the seldom needed fields shown or hidden. */
export const toggleMore = (form: FormState): FormState => arrangeFields({ ...form, more: !form.more });
