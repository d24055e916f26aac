// From what is typed to a forward, and back. Pure; what is wrong is said by field.
import { isIPv6 } from 'node:net';
import type { Forward, ForwardKind, ForwardSchema, Listen } from '../../../model/config.ts';
import { type ForwardSpec, formatEndpoint, parseForwardSpec } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import { isSshForward, triggerSets } from '../../../model/kinds.ts';
import { formatPortRange, parsePort, parsePortRange } from '../../../model/ports.ts';
import { type FieldId, formFields } from './fields.ts';
import { presetError } from './preset.ts';
import { type Built, type FormState, textIn } from './state.ts';

type FieldErrors = Partial<Record<FieldId, string>>;

const list = (text: string) =>
  text
    .split(/[\s,]+/)
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** Runs a parser for a field; its complaint becomes the field's. */
function parsed<T>(errors: FieldErrors, id: FieldId, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    errors[id] ??= error.hint === '' ? error.message : `${error.message.replace(/^-[LRD] [^:]*: /, '')}; ${error.hint}`;
    return undefined;
  }
}

/** Where the schema's complaints about nested keys belong. */
const fieldOfPath: Readonly<Record<string, FieldId>> = {
  ssh: 'jump',
  login: 'listen',
  second: 'idle',
  maxFlows: 'maxFlows',
};

function sshListen(form: FormState, kind: ForwardSpec['kind'], errors: FieldErrors) {
  const text = textIn(form, 'listen');
  if (text === '') return undefined;
  const as = text.startsWith('/') && kind !== 'dynamic' ? 'remote' : 'dynamic';
  return parsed(errors, 'listen', () => parseForwardSpec(as, text))?.listen;
}

function sshTarget(form: FormState, errors: FieldErrors) {
  const text = textIn(form, 'target');
  if (text === '') return undefined;
  // Without brackets an address of IPv6 would end in what looks like a port.
  if (!text.startsWith('/') && (isIPv6(text) || !/:\d+$/.test(text))) {
    errors.target = 'HOST:PORT, an IPv6 address in brackets; or the path of a socket';
    return undefined;
  }
  return parsed(errors, 'target', () => parseForwardSpec('local', `1:${text}`))?.target ?? undefined;
}

function mappingListen(form: FormState, errors: FieldErrors) {
  const text = textIn(form, 'listen');
  if (text === '') return undefined;
  const at = text.lastIndexOf(':');
  const address = at < 0 ? undefined : text.slice(0, at).replace(/^\[|\]$/g, '');
  const range = parsed(errors, 'listen', () => parsePortRange(text.slice(at + 1)));
  if (range === undefined) return undefined;
  return {
    ...(address === undefined || address === '' ? {} : { address }),
    port: range.first,
    ...(range.last === range.first ? {} : { last: range.last }),
  };
}

function mappingTarget(form: FormState, external: number | undefined, errors: FieldErrors) {
  const text = textIn(form, 'target');
  if (text === '' || external === undefined) return undefined;
  const bracketed = /^\[([^\]]+)\](?::(\d+)(?:-\d+)?)?$/.exec(text);
  const plain = /^([^:]+)(?::(\d+)(?:-\d+)?)?$/.exec(text);
  const mac = /^([0-9a-f]{2}(?:[-:][0-9a-f]{2}){5})$/i.exec(text);
  const match = mac ?? bracketed ?? plain;
  if (match === null) {
    errors.target = 'a host, or HOST:PORT; an IPv6 address in brackets';
    return undefined;
  }
  const host = (match[1] ?? '').replaceAll(mac === null ? '\0' : ':', mac === null ? '\0' : '-');
  const port =
    match[2] === undefined || mac !== null ? external : parsed(errors, 'target', () => parsePort(match[2] ?? ''));
  return port === undefined ? undefined : { host, port };
}

function portSets(form: FormState, id: 'on' | 'open', errors: FieldErrors) {
  const text = textIn(form, id);
  if (text === '') return undefined;
  const sets = text
    .split(/[\s,]+(?=[a-z]+[/ ])/i)
    .map((part) => /^(tcp|udp|both)[/ ](.+)$/i.exec(part.trim()))
    .map((match) =>
      match === null ? null : { proto: (match[1] ?? '').toLowerCase(), ports: (match[2] ?? '').trim() },
    );
  if (sets.includes(null)) {
    errors[id] = 'write it like tcp/6660-6669 or udp/5060';
    return undefined;
  }
  return sets;
}

/** A name from what the forward does: the target's first label, the service's port. */
export function suggestName(form: FormState, taken: readonly string[]): string {
  const target = textIn(form, 'target').replace(/[[\]]/g, '');
  const host = textIn(form, 'host').replace(/^.*@/, '');
  const label = (text: string) =>
    /^[\d.:]+(:\d+)?$/.test(text) ? '' : (text.split(/[.:/]/).find((part) => part !== '') ?? '');
  const base =
    {
      local: label(target) || label(host),
      remote: label(host) && `${label(host)}-${textIn(form, 'listen').replace(/^.*:/, '')}`,
      dynamic: label(host) && `${label(host)}-socks`,
      mapping:
        textIn(form, 'preset') || (textIn(form, 'listen') && `port-${textIn(form, 'listen').replace(/^.*:/, '')}`),
      trigger: textIn(form, 'preset') || (textIn(form, 'on') && `on-${textIn(form, 'on').replace(/^\w+\//, '')}`),
    }[form.kind] || '';
  const clean = base.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 60);
  if (clean === '') return '';
  if (!taken.includes(clean)) return clean;
  for (let n = 2; ; n++) if (!taken.includes(`${clean}-${n}`)) return `${clean}-${n}`;
}

/**
 * What the form says so far.
 * @param schema null while it is not there yet: then no forward comes of it
 */
export function buildForward(form: FormState, schema: ForwardSchema | null): Built {
  const errors: FieldErrors = {};
  const { few, texts } = formFields[form.kind];
  const optional = (id: FieldId) => texts[id]?.optional === true;
  const missing = few.filter((id) => !optional(id) && textIn(form, id) === '');
  const value = (id: FieldId) => textIn(form, id);
  const some = (id: FieldId, key: string, made: unknown) => (value(id) === '' ? {} : { [key]: made });

  // What the form does not ask for stays as it was.
  const { name: _name, ...kept } = form.base ?? ({} as Partial<Forward> & { name?: string });
  const base: Record<string, unknown> = { ...kept };
  for (const key of ['allow', 'deny', 'maxFlows', 'note', 'session', 'bind']) delete base[key];
  const common = {
    ...base,
    kind: form.kind,
    name: value('name'),
    ...some('session', 'session', value('session')),
    ...some('allow', 'allow', list(value('allow'))),
    ...some('deny', 'deny', list(value('deny'))),
    ...some('maxFlows', 'maxFlows', /^\d+$/.test(value('maxFlows')) ? Number(value('maxFlows')) : value('maxFlows')),
    ...some('note', 'note', value('note')),
  };
  const unknownPreset = presetError(form);
  if (unknownPreset !== null) errors.preset = unknownPreset;
  let draft: Record<string, unknown>;
  switch (form.kind) {
    case 'local':
    case 'remote':
    case 'dynamic': {
      const target = form.kind === 'dynamic' ? undefined : sshTarget(form, errors);
      const {
        jump: _jump,
        identities: _identities,
        ...ssh
      } = (form.base !== null && isSshForward(form.base) ? form.base.ssh : undefined) ?? {};
      const nextSsh = {
        ...ssh,
        ...some('jump', 'jump', value('jump')),
        ...some('identity', 'identities', list(value('identity'))),
      };
      delete common['target' as keyof typeof common];
      draft = {
        ...common,
        host: value('host'),
        listen: sshListen(form, form.kind, errors),
        ...(target === undefined ? {} : { target }),
        ssh: Object.keys(nextSsh).length === 0 ? undefined : nextSsh,
      };
      break;
    }
    case 'mapping': {
      const listen = mappingListen(form, errors);
      draft = {
        ...common,
        via: value('via'),
        proto: value('proto'),
        listen,
        target: mappingTarget(form, listen?.port, errors),
      };
      break;
    }
    case 'trigger':
      draft = {
        ...common,
        via: value('via'),
        on: portSets(form, 'on', errors),
        open: portSets(form, 'open', errors),
        idle: value('idle'),
        ...some('bind', 'bind', value('bind')),
      };
      break;
  }
  if (draft.ssh === undefined) delete draft.ssh;
  const checked = schema?.safeParse(draft);
  if (checked?.success === false) {
    for (const issue of checked.error.issues) {
      const key = String(issue.path[0] ?? 'name');
      const id = fieldOfPath[key] ?? (key as FieldId);
      if (form.order.includes(id) && value(id) !== '') errors[id] ??= plainIssue(issue.message);
    }
  }
  const sound = checked?.success === true && missing.length === 0 && Object.keys(errors).length === 0;
  return { forward: sound ? checked.data : null, errors, missing };
}

const plainIssue = (message: string) =>
  message.startsWith('Invalid option: expected one of ')
    ? message.replace('Invalid option: expected one of ', 'one of ').replaceAll('"', '').replaceAll('|', ', ')
    : message.charAt(0).toLowerCase() + message.slice(1);

const listenText = (listen: Listen) =>
  'socket' in listen
    ? listen.socket
    : listen.address === undefined
      ? String(listen.port)
      : formatEndpoint({ host: listen.address, port: listen.port });

/** The fields' texts of a forward to be edited. */
export function textsOf(forward: Forward): Partial<Record<FieldId, string>> {
  const common = {
    name: forward.name,
    session: forward.session,
    allow: (forward.allow ?? []).join(', '),
    deny: (forward.deny ?? []).join(', '),
    maxFlows: forward.maxFlows === undefined ? '' : String(forward.maxFlows),
    note: forward.note ?? '',
  };
  if (isSshForward(forward)) {
    return {
      ...common,
      host: forward.host,
      listen: listenText(forward.listen),
      target: forward.kind === 'dynamic' || forward.target === undefined ? '' : formatEndpoint(forward.target),
      jump: forward.ssh?.jump ?? '',
      identity: (forward.ssh?.identities ?? []).join(', '),
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
    bind: forward.bind ?? '',
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
export function startForm(kind: ForwardKind, editing: Forward | null): FormState {
  const { few, more } = formFields[kind];
  const texts = editing === null ? kindDefaults[kind] : textsOf(editing);
  const order = [...few, ...more].filter((id) => editing === null || id !== 'preset');
  return {
    kind,
    editing,
    base: editing,
    fields: Object.fromEntries(order.map((id) => [id, { text: texts[id] ?? '', at: (texts[id] ?? '').length }])),
    built: { forward: null, errors: {}, missing: [] },
    order: fewFields(kind, editing !== null, texts),
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
  };
}

/** The fields a form begins with: the few of its kind, and whatever else says something already. */
export function fewFields(
  kind: ForwardKind,
  editing: boolean,
  texts: Partial<Record<FieldId, string>>,
): readonly FieldId[] {
  const { few, more } = formFields[kind];
  const said = (id: FieldId) => (texts[id] ?? '') !== '' && !(id === 'session' && texts[id] === 'default');
  return [...few, ...more.filter(said)].filter((id) => !editing || id !== 'preset');
}

/** The same form with the seldom needed fields shown or hidden. */
export function toggleMore(form: FormState): FormState {
  const { few, more } = formFields[form.kind];
  const texts = Object.fromEntries([...few, ...more].map((id) => [id, textIn(form, id)]));
  const order = form.more
    ? fewFields(form.kind, form.editing !== null, texts)
    : [...few, ...more].filter((id) => form.editing === null || id !== 'preset');
  const at = Math.max(0, order.indexOf(form.order[form.at] ?? 'name'));
  return { ...form, more: !form.more, order, at };
}
