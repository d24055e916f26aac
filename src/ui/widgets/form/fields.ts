import type { ForwardKind } from '../../../model/config.ts';

/** Everything a form can ask for; the table below says which kind asks for which. */
export type FieldId =
  | 'preset'
  | 'listen'
  | 'target'
  | 'host'
  | 'on'
  | 'open'
  | 'proto'
  | 'via'
  | 'name'
  | 'session'
  | 'allow'
  | 'deny'
  | 'maxFlows'
  | 'rate'
  | 'idleFlow'
  | 'probe'
  | 'until'
  | 'idle'
  | 'from'
  | 'to'
  | 'second'
  | 'maxOpen'
  | 'closeFlows'
  | 'source'
  | 'bind'
  | 'proxyProtocol'
  | 'masquerade'
  | 'helper'
  | 'force'
  | 'jump'
  | 'identity'
  | 'options'
  | 'login'
  | 'note';

export interface FieldText {
  readonly label: string;
  /** Shown while the field is empty. */
  readonly example: string;
  readonly optional?: boolean;
}

type Texts = Partial<Record<FieldId, FieldText>>;

const common: Texts = {
  name: { label: 'name', example: 'made from the rest' },
  session: { label: 'session', example: 'default', optional: true },
  allow: { label: 'allow only', example: '203.0.113.0/24, 198.51.100.7', optional: true },
  deny: { label: 'deny', example: '192.0.2.0/24', optional: true },
  maxFlows: { label: 'flows at most', example: 'no limit', optional: true },
  rate: { label: 'rate at most', example: 'no limit; 500k or 2M bytes/s each way', optional: true },
  idleFlow: { label: 'idle flows end', example: 'never; after 1h without traffic', optional: true },
  until: { label: 'down again in', example: 'never; 8h', optional: true },
  note: { label: 'note', example: '', optional: true },
};

const ssh: Texts = {
  host: { label: 'SSH host', example: 'user@host, or a name from ssh_config' },
  jump: { label: 'jump hosts', example: 'as ssh -J takes them', optional: true },
  identity: { label: 'key file', example: 'as ssh -i takes it', optional: true },
  options: { label: 'ssh options', example: 'as ssh -o takes them: Name=value', optional: true },
};

const probe: Texts = {
  probe: { label: 'tried every', example: 'as the settings say; off: never', optional: true },
};

const whoAndHowMuch = ['allow', 'deny', 'maxFlows', 'rate', 'idleFlow'] as const;
const overSsh = ['session', 'jump', 'identity', 'options', ...whoAndHowMuch, 'probe', 'until', 'note'] as const;

/** The fields of each kind, the first few and the rest. */
export const formFields: Readonly<
  Record<ForwardKind, { readonly few: readonly FieldId[]; readonly more: readonly FieldId[]; readonly texts: Texts }>
> = {
  local: {
    few: ['listen', 'target', 'host', 'name'],
    more: overSsh,
    texts: {
      ...common,
      ...ssh,
      ...probe,
      listen: { label: 'listen on', example: '8080, 0.0.0.0:8080 or /path/of/a.sock' },
      target: { label: 'target', example: 'intra.example.com:80, as the SSH host sees it' },
    },
  },
  remote: {
    few: ['listen', 'target', 'host', 'name'],
    more: overSsh,
    texts: {
      ...common,
      ...ssh,
      ...probe,
      listen: { label: 'listen there on', example: '9000, a port on the SSH host; 0: any free one' },
      target: { label: 'target here', example: '127.0.0.1:3000; empty: a SOCKS server', optional: true },
    },
  },
  dynamic: {
    few: ['listen', 'host', 'name'],
    more: ['login', ...overSsh],
    texts: {
      ...common,
      ...ssh,
      ...probe,
      listen: { label: 'SOCKS on', example: '1080 or 127.0.0.1:1080' },
      login: { label: 'clients log in', example: 'no; user:/file/with/the/password', optional: true },
    },
  },
  mapping: {
    few: ['preset', 'listen', 'target', 'proto', 'via', 'name'],
    more: ['session', ...whoAndHowMuch, 'probe', 'proxyProtocol', 'masquerade', 'helper', 'force', 'until', 'note'],
    texts: {
      ...common,
      ...probe,
      preset: { label: 'preset', example: 'none; or a service, like minecraft', optional: true },
      listen: { label: 'external', example: '25565, 8000-8010 or 0.0.0.0:25565' },
      target: { label: 'internal', example: '192.168.1.20, with :PORT where it differs' },
      proto: { label: 'protocol', example: 'tcp, udp or both' },
      via: { label: 'by', example: 'relay, nftables or router' },
      proxyProtocol: { label: 'PROXY protocol', example: 'no; yes tells the target who connects', optional: true },
      masquerade: { label: 'masquerade', example: 'no; yes hides who connects', optional: true },
      helper: { label: 'kernel helper', example: 'none; ftp, sip, h323, tftp, pptp or irc', optional: true },
      force: { label: 'force', example: 'no; yes: over a port of this machine', optional: true },
    },
  },
  trigger: {
    few: ['preset', 'on', 'open', 'via', 'idle', 'name'],
    more: [
      'from',
      'to',
      'second',
      'maxOpen',
      'closeFlows',
      'source',
      'bind',
      'session',
      ...whoAndHowMuch,
      'until',
      'note',
    ],
    texts: {
      ...common,
      preset: { label: 'preset', example: 'none; or a program, like irc-ident', optional: true },
      on: { label: 'outbound call', example: 'tcp/6660-6669' },
      open: { label: 'opens', example: 'tcp/113, several with commas' },
      via: { label: 'by', example: 'relay, nftables, router or remote' },
      idle: { label: 'closes after', example: '10m' },
      from: { label: 'calls from', example: 'any host; 192.168.1.0/24', optional: true },
      to: { label: 'calls to', example: 'anywhere; 198.51.100.0/24', optional: true },
      second: { label: 'second host', example: 'first: it waits; last: it takes over', optional: true },
      maxOpen: { label: 'open at most', example: 'no limit; 2h', optional: true },
      closeFlows: { label: 'cut at closing', example: 'no; yes ends what still runs', optional: true },
      source: { label: 'calls seen by', example: 'kernel; or flows of this program', optional: true },
      bind: { label: 'opens on', example: "the gateway's own side", optional: true },
    },
  },
};

/** What only this machine's kernel can do, and what it cannot; a field of the wrong kind is not worth its line. */
const kernelOnly: ReadonlySet<FieldId> = new Set(['masquerade', 'helper', 'force', 'source']);
const notKernel: ReadonlySet<FieldId> = new Set(['proxyProtocol', 'idleFlow']);

/**
 * The fields of a form, in their order: the few of its kind, then those that say something already, or all that its
 * gateway can do.
 */
export function fieldsShown(
  kind: ForwardKind,
  textOf: (id: FieldId) => string,
  { editing, all }: { readonly editing: boolean; readonly all: boolean },
): readonly FieldId[] {
  const { few, more } = formFields[kind];
  const kernel = textOf('via') === 'nftables';
  const says = (id: FieldId) => textOf(id) !== '' && !(id === 'session' && textOf(id) === 'default');
  const fits = (id: FieldId) => !(kernel ? notKernel : kernelOnly).has(id);
  const shown = [...few, ...more.filter((id) => says(id) || (all && fits(id)))];
  // A preset is for what is not there yet.
  return shown.filter((id) => !editing || id !== 'preset');
}
