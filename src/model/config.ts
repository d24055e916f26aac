// The one schema: types, validation, the JSON Schema handed to conf, form messages and the docs' table come from here.
import * as z from 'zod';
import { parseCidr } from './cidr.ts';
import { isDuration } from './duration.ts';
import { namePattern, nameRule } from './names.ts';
import { parsePortList } from './ports.ts';

const parses = (parse: (text: string) => unknown) => (text: string) => {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
};
const oneLine = (text: string) => !/[\u0000-\u001f\u007f]/.test(text);

// The titles name the type in the docs' table.
const name = z.string().regex(namePattern, nameRule).meta({ title: 'name' });
const duration = z.string().refine(isDuration, 'a duration like 30s, 10m or 1h30m').meta({ title: 'duration' });
const cidr = z
  .string()
  .refine(parses(parseCidr), 'an address or network like 203.0.113.0/24')
  .meta({ title: 'network' });
const portList = z
  .string()
  .refine(parses(parsePortList), 'ports like 113 or 6660-6669, several with commas')
  .meta({ title: 'ports' });
const line = z.string().refine(oneLine, 'one line without control characters');
const port = z.int().min(1, 'ports go from 1 to 65535').max(65_535, 'ports go from 1 to 65535');
const listenPort = z.int().min(0, 'ports go from 0 to 65535').max(65_535, 'ports go from 0 to 65535');
const socketPath = z
  .string()
  .refine((path) => path.startsWith('/') && oneLine(path) && !path.includes('\0'), 'an absolute path');

const listen = z.union([
  z.strictObject({
    address: line.min(1).optional().describe('address to listen on; none: both loopback addresses; `*`: every address'),
    port: listenPort.describe('port; 0 asks the system for a free one'),
  }),
  z.strictObject({ socket: socketPath.describe('path of a Unix socket, created with mode 0600') }),
]);
const target = z.union([
  z.strictObject({ host: line.min(1).describe('host as the far end resolves it'), port: port.describe('port') }),
  z.strictObject({ socket: socketPath.describe('path of a Unix socket') }),
]);

const common = {
  name: name.describe('unique name'),
  session: name.default('default').describe('session it belongs to'),
  enabled: z.boolean().default(false).describe('desired state: true is up, also after a restart'),
  note: line.max(500).optional().describe('free text'),
  allow: z.array(cidr).optional().describe('networks that may connect; none: all'),
  deny: z.array(cidr).optional().describe('networks that may not connect, stronger than `allow`'),
  maxFlows: z.int().min(1).optional().describe('flows at a time; one more is reset'),
  rate: z.int().min(1).optional().describe('bytes per second, each way, over all flows'),
  idleFlow: duration.optional().describe('a flow without traffic for so long is ended'),
  until: z.iso.datetime().optional().describe('when it goes down by itself (set by `--for`)'),
};

const probe = z
  .union([duration, z.literal(false)])
  .optional()
  .describe('how often a connection through it is tried; false: never');

const ssh = z.strictObject({
  user: line.optional().describe('`-l`'),
  port: port.optional().describe('`-p`'),
  jump: line.optional().describe('`-J`'),
  identities: z.array(line).optional().describe('`-i`, key files'),
  configFile: line.optional().describe('`-F`'),
  compression: z.boolean().optional().describe('`-C`'),
  options: z.array(line).optional().describe('`-o`, as NAME=VALUE'),
});

const overSsh = {
  ...common,
  host: line.min(1).describe('SSH destination, as ssh(1) takes it'),
  ssh: ssh.optional().describe('what ssh(1) options would say'),
  probe,
};

export const LocalForward = z.strictObject({
  kind: z.literal('local'),
  ...overSsh,
  listen: listen.describe('where it listens'),
  target: target.describe('as seen from the SSH server'),
});
export const RemoteForward = z.strictObject({
  kind: z.literal('remote'),
  ...overSsh,
  listen: listen.describe('where the SSH server listens'),
  target: target.optional().describe('as seen from here; none: a SOCKS server at the far end'),
});
const SocksLogin = z.strictObject({
  user: line.min(1).describe('user name'),
  passwordFile: line.min(1).describe('path of the file with the password'),
});
export const DynamicForward = z.strictObject({
  kind: z.literal('dynamic'),
  ...overSsh,
  listen: listen.describe('where it listens'),
  login: SocksLogin.optional().describe('user and file with the password a SOCKS client must give (RFC 1929)'),
});

const external = z.strictObject({
  address: line.min(1).optional().describe('address to take connections on; see `--bind`'),
  port: port.describe('external port, or the first of a range'),
  last: port.optional().describe('last external port of a range'),
});

export const Mapping = z.strictObject({
  kind: z.literal('mapping'),
  ...common,
  via: z.enum(['relay', 'nftables', 'router']).default('relay').describe('gateway that carries it'),
  proto: z.enum(['tcp', 'udp', 'both']).default('tcp').describe('protocol'),
  listen: external.describe('external side'),
  target: z
    .strictObject({
      host: line.min(1).describe('internal address, name or MAC address'),
      port: port.describe('internal port, or the first of a range'),
    })
    .describe('internal side'),
  proxyProtocol: z.boolean().optional().describe('relay: send a PROXY protocol v2 header'),
  masquerade: z.boolean().optional().describe("nftables: replace the source address by the gateway's"),
  helper: z
    .enum(['ftp', 'sip', 'h323', 'tftp', 'pptp', 'irc'])
    .optional()
    .describe('nftables: kernel connection-tracking helper'),
  force: z.boolean().optional().describe('nftables: even over a port this machine listens on'),
  probe,
});

const portSet = z.strictObject({
  proto: z.enum(['tcp', 'udp', 'both']).describe('protocol'),
  ports: portList.describe('a port, a range, or several with commas'),
});

export const Trigger = z.strictObject({
  kind: z.literal('trigger'),
  ...common,
  via: z.enum(['relay', 'nftables', 'router', 'remote']).default('relay').describe('what opens the ports'),
  source: z
    .enum(['flows', 'kernel'])
    .optional()
    .describe('what sees the outbound call; kernel with nftables, else flows'),
  on: z.union([portSet, z.array(portSet).min(1)]).describe('outbound destination ports that trigger'),
  open: z.array(portSet).min(1).describe('inbound ports that open'),
  idle: duration.default('10m').describe('time without traffic after which it closes'),
  second: z.enum(['first', 'last']).default('first').describe('who holds it when a second host calls'),
  from: z.array(cidr).optional().describe('hosts that may trigger'),
  to: z.array(cidr).optional().describe('destinations that count'),
  bind: line.min(1).optional().describe('address, or interface, the opened ports are on'),
  maxOpen: duration.optional().describe('longest time open in one go'),
  closeFlows: z.boolean().optional().describe('cut running flows when it closes'),
});

export const Forward = z.discriminatedUnion('kind', [LocalForward, RemoteForward, DynamicForward, Mapping, Trigger]);
export const Session = z.strictObject({ note: line.default('').describe('free text') });

export const Settings = z.strictObject({
  theme: z
    .enum(['auto', 'dark', 'light', 'contrast', 'ansi', 'none'])
    .default('auto')
    .describe('colours of the dashboard'),
  ascii: z.boolean().default(false).describe('draw with ASCII characters only'),
  screenReader: z.boolean().default(false).describe('dashboard as plain lines for a screen reader'),
  notify: z.boolean().default(false).describe('bell and desktop notification when a forward fails'),
  refreshMs: z.int().min(100).max(10_000).default(500).describe('how often the dashboard shows new rates'),
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(64)])
    .default('auto')
    .describe('data-plane threads; from the next start of the engine'),
  keepaliveSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(5)
    .describe('SSH keepalive where the ssh configuration has none; for new connections'),
  keepaliveCount: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('unanswered keepalives that mean a dead peer; for new connections'),
  probe: z
    .union([duration, z.literal(false)])
    .default('60s')
    .describe('how often each way is probed end to end; for what is started from then on'),
  metrics: z
    .union([z.string(), z.literal(false)])
    .default(false)
    .describe('address:port for Prometheus, loopback only; from the next start of the engine'),
});

export const Config = z.strictObject({
  version: z.literal(1),
  settings: Settings.prefault({}),
  sessions: z.record(name, Session).prefault({ default: { note: '' } }),
  forwards: z.array(Forward).default([]),
});

export type Listen = z.infer<typeof listen>;
export type LocalForward = z.infer<typeof LocalForward>;
export type RemoteForward = z.infer<typeof RemoteForward>;
export type DynamicForward = z.infer<typeof DynamicForward>;
export type SshForward = LocalForward | RemoteForward | DynamicForward;
export type SshOverrides = z.infer<typeof ssh>;
export type Mapping = z.infer<typeof Mapping>;
export type Trigger = z.infer<typeof Trigger>;
export type PortSet = z.infer<typeof portSet>;
export type Forward = z.infer<typeof Forward>;
export type ForwardSchema = typeof Forward;
export type ForwardKind = Forward['kind'];
export type Settings = z.infer<typeof Settings>;
export type Config = z.infer<typeof Config>;

export const emptyConfig = (): Config => Config.parse({ version: 1 });
