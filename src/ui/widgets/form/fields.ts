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
  | 'idle'
  | 'bind'
  | 'jump'
  | 'identity'
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
  note: { label: 'note', example: '', optional: true },
};

const ssh: Texts = {
  host: { label: 'SSH host', example: 'user@host, or a name from ssh_config' },
  jump: { label: 'jump hosts', example: 'as ssh -J takes them', optional: true },
  identity: { label: 'key file', example: 'as ssh -i takes it', optional: true },
};

/** The fields of each kind, the first few and the rest. */
export const formFields: Readonly<
  Record<ForwardKind, { readonly few: readonly FieldId[]; readonly more: readonly FieldId[]; readonly texts: Texts }>
> = {
  local: {
    few: ['listen', 'target', 'host', 'name'],
    more: ['session', 'jump', 'identity', 'allow', 'deny', 'maxFlows', 'note'],
    texts: {
      ...common,
      ...ssh,
      listen: { label: 'listen on', example: '8080, 0.0.0.0:8080 or /path/of/a.sock' },
      target: { label: 'target', example: 'intra.example.com:80, as the SSH host sees it' },
    },
  },
  remote: {
    few: ['listen', 'target', 'host', 'name'],
    more: ['session', 'jump', 'identity', 'allow', 'deny', 'maxFlows', 'note'],
    texts: {
      ...common,
      ...ssh,
      listen: { label: 'listen there on', example: '9000, a port on the SSH host; 0: any free one' },
      target: { label: 'target here', example: '127.0.0.1:3000; empty: a SOCKS server', optional: true },
    },
  },
  dynamic: {
    few: ['listen', 'host', 'name'],
    more: ['session', 'jump', 'identity', 'allow', 'deny', 'maxFlows', 'note'],
    texts: { ...common, ...ssh, listen: { label: 'SOCKS on', example: '1080 or 127.0.0.1:1080' } },
  },
  mapping: {
    few: ['preset', 'listen', 'target', 'proto', 'via', 'name'],
    more: ['session', 'allow', 'deny', 'maxFlows', 'note'],
    texts: {
      ...common,
      preset: { label: 'preset', example: 'none; or a service, like minecraft', optional: true },
      listen: { label: 'external', example: '25565, 8000-8010 or 0.0.0.0:25565' },
      target: { label: 'internal', example: '192.168.1.20, with :PORT where it differs' },
      proto: { label: 'protocol', example: 'tcp, udp or both' },
      via: { label: 'by', example: 'relay, nftables or router' },
    },
  },
  trigger: {
    few: ['preset', 'on', 'open', 'via', 'idle', 'name'],
    more: ['bind', 'session', 'allow', 'deny', 'maxFlows', 'note'],
    texts: {
      ...common,
      preset: { label: 'preset', example: 'none; or a program, like irc-ident', optional: true },
      on: { label: 'outbound call', example: 'tcp/6660-6669' },
      open: { label: 'opens', example: 'tcp/113, several with commas' },
      via: { label: 'by', example: 'relay, nftables, router or remote' },
      idle: { label: 'closes after', example: '10m' },
      bind: { label: 'opens on', example: "the gateway's own side", optional: true },
    },
  },
};
