import type { Forward, Mapping } from '../../model/config.ts';
import { parseForwardSpec } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import { isSshForward } from '../../model/kinds.ts';
import { type PortRange, parsePortRange } from '../../model/ports.ts';
import { commonFields } from '../flags/common.ts';
import type { TypedSpec } from '../flags/specs.ts';
import { destination, sshFields } from '../flags/ssh.ts';
import type { Place } from '../paths.ts';
import { type AddFlags, readLogin, readProbe } from './add.ts';
import { externalFields, type MapFlags, mappingFields, parseInternal } from './map.ts';
import { type TriggerFlags, triggerFields } from './trigger.ts';

export interface EditFlags extends AddFlags, Omit<MapFlags, 'preset'>, Omit<TriggerFlags, 'preset' | 'try'> {
  host?: string;
  external?: string;
  internal?: string;
  unset?: string[];
}

/** What `--unset` takes, and the key of the forward, or of its `ssh`, it clears. */
export const unsettable: Readonly<Record<string, { key: string; ssh?: true }>> = {
  allow: { key: 'allow' },
  deny: { key: 'deny' },
  'max-flows': { key: 'maxFlows' },
  rate: { key: 'rate' },
  'idle-flow': { key: 'idleFlow' },
  for: { key: 'until' },
  note: { key: 'note' },
  probe: { key: 'probe' },
  login: { key: 'login' },
  force: { key: 'force' },
  'proxy-protocol': { key: 'proxyProtocol' },
  masquerade: { key: 'masquerade' },
  helper: { key: 'helper' },
  source: { key: 'source' },
  from: { key: 'from' },
  to: { key: 'to' },
  bind: { key: 'bind' },
  'max-open': { key: 'maxOpen' },
  'close-flows': { key: 'closeFlows' },
  compression: { key: 'compression', ssh: true },
  jump: { key: 'jump', ssh: true },
  identity: { key: 'identities', ssh: true },
  port: { key: 'port', ssh: true },
  user: { key: 'user', ssh: true },
  config: { key: 'configFile', ssh: true },
  option: { key: 'options', ssh: true },
};

const flagsOf = {
  ssh: ['host', 'probe', 'compression', 'jump', 'identity', 'port', 'user', 'config', 'option'],
  dynamic: ['login'],
  mapping: ['external', 'internal', 'proto', 'force', 'proxyProtocol', 'masquerade', 'helper', 'probe'],
  trigger: ['on', 'open', 'idle', 'second', 'source', 'from', 'to', 'maxOpen', 'closeFlows'],
  gateway: ['via', 'bind'],
} as const;

/**
 * The keys to replace in a forward; null takes one away.
 * @throws SallyportError `usage` for a flag of another kind of forward, `bad_spec`, `bad_value`
 */
export function editPatch(
  forward: Forward,
  typed: readonly TypedSpec[],
  flags: EditFlags,
  place: Place,
): Record<string, unknown> {
  refuseForeign(forward, flags);
  const patch: Record<string, unknown> = { ...commonFields(flags, place) };
  if (isSshForward(forward)) Object.assign(patch, sshPatch(forward.kind, typed, flags, place));
  else if (typed.length > 0) throw foreign(forward, `-${typed[0]?.kind[0]?.toUpperCase()}`);
  if (forward.kind === 'mapping') Object.assign(patch, mappingPatch(forward, flags));
  if (forward.kind === 'trigger') Object.assign(patch, triggerFields(flags));
  for (const word of (flags.unset ?? []).flatMap((text) => text.split(','))) unset(patch, forward, word);
  return patch;
}

function foreign(forward: Forward, flag: string): SallyportError {
  return new SallyportError(
    'usage',
    `edit: ${flag} does not apply to ${forward.name}, which is a ${forward.kind} forward`,
    `sallyport show ${forward.name} lists what it has`,
  );
}

function refuseForeign(forward: Forward, flags: EditFlags): void {
  const own: readonly string[] = isSshForward(forward)
    ? [...flagsOf.ssh, ...(forward.kind === 'dynamic' ? flagsOf.dynamic : [])]
    : [...flagsOf[forward.kind], ...flagsOf.gateway];
  for (const flag of Object.values(flagsOf).flat()) {
    if (!own.includes(flag) && (flags as Record<string, unknown>)[flag] !== undefined) {
      throw foreign(forward, `--${flag.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
    }
  }
}

function sshPatch(kind: TypedSpec['kind'], typed: readonly TypedSpec[], flags: EditFlags, place: Place) {
  const patch: Record<string, unknown> = {};
  const [spec, ...more] = typed;
  if (spec !== undefined) {
    if (more.length > 0)
      throw new SallyportError('usage', 'edit: one forward has one specification', 'name just one of -L, -R and -D');
    const flag = { local: '-L', remote: '-R', dynamic: '-D' }[spec.kind];
    if (spec.kind !== kind)
      throw new SallyportError(
        'usage',
        `edit: ${flag} does not apply to a ${kind} forward`,
        'make another one with sallyport add',
      );
    const { listen, target } = parseForwardSpec(spec.kind, spec.text);
    patch.listen = listen;
    if (kind !== 'dynamic') patch.target = target;
  }
  if (flags.host !== undefined) patch.host = destination(flags.host);
  if (flags.probe !== undefined) patch.probe = readProbe(flags.probe);
  if (flags.login !== undefined) patch.login = flags.login === 'none' ? null : readLogin(flags.login, place);
  const ssh = sshFields(flags, place);
  if (Object.keys(ssh).length > 0) patch.ssh = ssh;
  return patch;
}

function mappingPatch(forward: Mapping, flags: EditFlags) {
  const patch: Record<string, unknown> = mappingFields(flags);
  const { listen, target } = forward;
  const before: PortRange = { first: listen.port, last: listen.last ?? listen.port };
  const range = flags.external === undefined ? before : parsePortRange(flags.external);
  if (flags.external !== undefined || flags.bind !== undefined) {
    const bind = flags.bind === 'none' ? undefined : (flags.bind ?? listen.address);
    patch.listen = externalFields(range, bind);
  }
  if (flags.internal !== undefined) patch.target = parseInternal(flags.internal, range);
  // A target that followed the external port goes on following it.
  else if (flags.external !== undefined && target.port === listen.port)
    patch.target = { host: target.host, port: range.first };
  return patch;
}

function unset(patch: Record<string, unknown>, forward: Forward, word: string): void {
  const found = unsettable[word];
  if (found === undefined) {
    throw new SallyportError(
      'usage',
      `edit: --unset ${word}: no such setting`,
      `one of ${Object.keys(unsettable).join(', ')}`,
    );
  }
  if (found.ssh) patch.ssh = { ...(patch.ssh as object | undefined), [found.key]: null };
  else if (found.key === 'bind' && forward.kind === 'mapping') {
    const { address: _, ...listen } = (patch.listen as Mapping['listen'] | undefined) ?? forward.listen;
    patch.listen = listen;
  } else patch[found.key] = null;
}
