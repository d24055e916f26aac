// From what is typed to a forward. Pure; what is wrong is said by field.
import { isIPv6 } from 'node:net';
import type { ForwardSchema } from '../../../model/config.ts';
import { type ForwardSpec, parseForwardSpec } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import { isSshForward } from '../../../model/kinds.ts';
import { parsePort, parsePortRange } from '../../../model/ports.ts';
import { shellSplit } from '../../../model/shell-words.ts';
import { parseSshOption } from '../../../model/ssh-option.ts';
import { type FieldId, formFields } from './fields.ts';
import { presetError } from './preset.ts';
import { type Built, type FormState, textIn } from './state.ts';
import { endAfter, listOf, valueFields } from './values.ts';

type FieldErrors = Partial<Record<FieldId, string>>;

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

/** The fields of what ssh(1)'s options would say. */
const sshFields: Readonly<Record<string, FieldId>> = { jump: 'jump', identities: 'identity', options: 'options' };

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

function sshOptions(form: FormState, errors: FieldErrors) {
  return parsed(errors, 'options', () => shellSplit(textIn(form, 'options')).map(parseSshOption));
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
 * @param now from when a time to go down in is counted
 */
export function buildForward(form: FormState, schema: ForwardSchema | null, now: number): Built {
  const errors: FieldErrors = {};
  const { few, texts } = formFields[form.kind];
  const optional = (id: FieldId) => texts[id]?.optional === true;
  const missing = few.filter((id) => !optional(id) && textIn(form, id) === '');
  const value = (id: FieldId) => textIn(form, id);

  // What the form does not ask for stays as it was.
  const common: Record<string, unknown> = { ...form.base, kind: form.kind, name: value('name') };
  for (const [id, { read }] of valueFields) {
    if (texts[id] === undefined) continue;
    delete common[id];
    if (value(id) !== '') common[id] = parsed(errors, id, () => read(value(id)));
  }
  if (form.touched.includes('until')) {
    delete common.until;
    if (value('until') !== '') common.until = parsed(errors, 'until', () => endAfter(value('until'), now));
  }
  const unknownPreset = presetError(form);
  if (unknownPreset !== null) errors.preset = unknownPreset;
  let draft: Record<string, unknown>;
  switch (form.kind) {
    case 'local':
    case 'remote':
    case 'dynamic': {
      const target = form.kind === 'dynamic' ? undefined : sshTarget(form, errors);
      const kept = (form.base !== null && isSshForward(form.base) ? form.base.ssh : undefined) ?? {};
      const ssh: Record<string, unknown> = {
        ...kept,
        jump: value('jump') || undefined,
        identities: value('identity') === '' ? undefined : listOf(value('identity')),
        options: value('options') === '' ? undefined : sshOptions(form, errors),
      };
      for (const key of Object.keys(ssh)) if (ssh[key] === undefined) delete ssh[key];
      delete common.target;
      delete common.ssh;
      draft = {
        ...common,
        host: value('host'),
        listen: sshListen(form, form.kind, errors),
        ...(target === undefined ? {} : { target }),
        ...(Object.keys(ssh).length === 0 ? {} : { ssh }),
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
    case 'trigger': {
      const on = portSets(form, 'on', errors);
      draft = {
        ...common,
        via: value('via'),
        on: on?.length === 1 ? on[0] : on,
        open: portSets(form, 'open', errors),
        idle: value('idle'),
      };
      break;
    }
  }
  const checked = schema?.safeParse(draft);
  if (checked?.success === false) {
    for (const issue of checked.error.issues) {
      const [key = 'name', inner = ''] = issue.path.map(String);
      const id = key === 'ssh' ? (sshFields[inner] ?? 'host') : (key as FieldId);
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
