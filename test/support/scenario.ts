// Pictures for the fake engine: a jump server on a working day, one where nothing is defined, one with very many.
import type * as z from 'zod';
import type { Config, Forward, Forward as ForwardSchema, Settings } from '../../src/model/config.ts';
import type { Failure } from '../../src/model/errors.ts';
import type { EventLevel } from '../../src/model/event.ts';
import type { Flow } from '../../src/model/flow.ts';
import type { Prompt } from '../../src/model/host.ts';
import type { AuditRow, DayTotal, Device, RouterReport } from '../../src/model/reports.ts';
import type { ForwardEntry, Opening, Snapshot } from '../../src/model/snapshot.ts';
import type { ListenerStatus, ProbeStatus } from '../../src/model/state.ts';

type Iso = (ms: number) => string;
type At<T> = (iso: Iso, now: number) => T;

export interface ScriptedForward {
  readonly config: z.input<typeof ForwardSchema>;
  readonly link?: string;
  readonly listener?: At<ListenerStatus>;
  readonly probe?: At<ProbeStatus>;
  readonly lastError?: At<ForwardEntry['lastError']>;
  readonly opened?: At<readonly Opening[]>;
  readonly history?: At<ForwardEntry['history']>;
}

export interface Scenario {
  readonly hostname: string;
  readonly uptimeMs: number;
  readonly settings?: Partial<Settings>;
  readonly sessions: Config['sessions'];
  readonly forwards: readonly ScriptedForward[];
  readonly links: At<Snapshot['links']>;
  readonly prompts: At<readonly Prompt[]>;
  readonly warnings?: Snapshot['warnings'];
  readonly events: readonly (readonly [number, EventLevel, string | null, string, string])[];
  /** Bytes a second at a time. */
  readonly rate: (name: string, at: number) => { rx: number; tx: number };
  readonly totals: (name: string) => { rx: number; tx: number; flowsTotal: number };
  readonly flows: (name: string, iso: Iso, now: number) => readonly Flow[];
  readonly days?: (forward: string | null) => DayTotal[];
  readonly devices: readonly Device[];
  readonly router: RouterReport;
  readonly audit: readonly AuditRow[];
  readonly unreadFirewall?: Failure;
}

/** A number from a text, the same every time. */
function hash(text: string): number {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ (c.codePointAt(0) ?? 0), 16777619) >>> 0;
  return h / 4294967296;
}

/** Traffic that looks like traffic: slow waves with bursts, from the name and the time alone. */
function wave(name: string, at: number, mean: number): number {
  if (mean === 0) return 0;
  const seed = hash(name);
  const t = at / 1000;
  const slow = 0.55 + 0.45 * Math.sin(t / (17 + seed * 40) + seed * 7);
  const fast = 0.75 + 0.25 * Math.sin(t / (2.3 + seed * 3) + seed * 11);
  const burst = hash(`${name}${Math.floor(t / (6 + seed * 9))}`) > 0.72 ? 1.9 : 1;
  return mean * slow * fast * burst;
}

const means: Readonly<Record<string, readonly [number, number]>> = {
  intra: [1_200_000, 14_000],
  web: [5_400_000, 210_000],
  postgres: [380_000, 96_000],
  grafana: [46_000, 3_100],
  backup: [22_000, 31_000_000],
  'home-socks': [740_000, 61_000],
  minecraft: [88_000, 412_000],
  cameras: [6_800_000, 22_000],
  irc: [2_400, 900],
};

const local = (
  name: string,
  listen: number,
  host: string,
  target: string,
  port: number,
  more: object = {},
): z.input<typeof ForwardSchema> => ({
  kind: 'local',
  name,
  session: 'work',
  enabled: true,
  host,
  listen: { address: '127.0.0.1', port: listen },
  target: { host: target, port },
  ...more,
});

export const workday: Scenario = {
  hostname: 'ams-jump',
  uptimeMs: 3 * 86_400_000 + 4 * 3_600_000 + 600_000,
  sessions: {
    work: { note: 'the office behind pr.example.com' },
    home: { note: '' },
    lab: { note: 'for experiments' },
  },
  forwards: [
    { config: local('intra', 8080, 'pr.example.com', 'intra.example.com', 80), link: 'pr' },
    { config: local('web', 8443, 'pr.example.com', 'www-staging.example.com', 443, { note: 'staging' }), link: 'pr' },
    { config: local('postgres', 5432, 'db-jump', 'db1.internal', 5432, { maxFlows: 20 }), link: 'db' },
    { config: local('grafana', 3000, 'db-jump', 'metrics.internal', 3000), link: 'db' },
    {
      config: {
        kind: 'remote',
        name: 'backup',
        session: 'work',
        enabled: true,
        host: 'vault.example.net',
        listen: { port: 9022 },
        target: { host: '127.0.0.1', port: 22 },
      },
      link: 'vault',
    },
    {
      config: {
        kind: 'dynamic',
        name: 'home-socks',
        session: 'home',
        enabled: true,
        host: 'home.example.org',
        listen: { port: 1080 },
      },
      link: 'home',
    },
    { config: local('ldap', 3890, 'ldap-gw', 'ldap.internal', 389), link: 'ldap' },
    { config: local('office', 1443, 'laptop', 'printer.office', 443), link: 'laptop' },
    {
      config: local('registry', 5000, 'pr.example.com', 'registry.internal', 5000),
      link: 'pr',
      listener: () => ({
        is: 'failed',
        error: {
          code: 'port_taken',
          message: 'port 5000 on 127.0.0.1 is held by docker-proxy (pid 1822)',
          hint: 'stop it, or give this forward another port: sallyport edit registry -L 5001:registry.internal:5000',
        },
      }),
    },
    {
      config: local('wiki', 8090, 'pr.example.com', 'wiki.internal', 8090),
      link: 'pr',
      probe: (iso, now) => ({
        ok: false,
        at: iso(now - 20_000),
        error: {
          code: 'target_refused',
          message: 'wiki.internal:8090 refuses the connection',
          hint: 'is the service running there?',
        },
      }),
    },
    {
      config: local('scratch', 9999, 'pr.example.com', 'scratch.internal', 80, { enabled: false, session: 'lab' }),
      link: 'pr',
    },
    {
      config: {
        kind: 'mapping',
        name: 'minecraft',
        session: 'home',
        enabled: true,
        via: 'nftables',
        proto: 'both',
        listen: { port: 25565 },
        target: { host: '192.168.1.20', port: 25565 },
        allow: ['203.0.113.0/24'],
      },
    },
    {
      config: {
        kind: 'mapping',
        name: 'cameras',
        session: 'home',
        enabled: true,
        via: 'relay',
        proto: 'tcp',
        listen: { address: '10.0.0.5', port: 8000, last: 8003 },
        target: { host: '192.168.1.31', port: 554 },
      },
    },
    {
      config: {
        kind: 'mapping',
        name: 'sftp',
        session: 'home',
        enabled: true,
        via: 'router',
        proto: 'tcp',
        listen: { port: 2222 },
        target: { host: '192.168.1.2', port: 22 },
      },
      listener: (iso, now) => ({
        is: 'retrying',
        error: {
          code: 'gateway_missing',
          message: 'the router does not answer',
          hint: 'sallyport router says what it speaks',
        },
        nextTry: iso(now + 27_000),
      }),
    },
    {
      config: {
        kind: 'trigger',
        name: 'irc',
        session: 'home',
        enabled: true,
        via: 'nftables',
        on: { proto: 'tcp', ports: '6660-6669' },
        open: [{ proto: 'tcp', ports: '113' }],
        idle: '10m',
      },
      opened: (iso, now) => [{ proto: 'tcp', ports: '113', host: '192.168.1.20', expiresAt: iso(now + 372_000) }],
      history: (iso, now) => [
        { at: iso(now - 7_300_000), host: '192.168.1.77', what: 'opened', why: 'called 203.0.113.6:6667' },
        { at: iso(now - 6_700_000), host: '192.168.1.77', what: 'closed', why: 'nothing moved for 10m' },
        { at: iso(now - 228_000), host: '192.168.1.20', what: 'opened', why: 'called 203.0.113.6:6667' },
        { at: iso(now - 31_000), host: '192.168.1.77', what: 'refused', why: '192.168.1.20 holds it' },
      ],
    },
    {
      config: {
        kind: 'trigger',
        name: 'battlenet',
        session: 'home',
        enabled: true,
        via: 'relay',
        on: { proto: 'tcp', ports: '1119,6112' },
        open: [{ proto: 'udp', ports: '6112-6119' }],
        idle: '2m',
      },
    },
  ],
  links: (iso, now) => {
    const up = (
      id: string,
      dest: string,
      address: string,
      since: number,
      rttMs: number,
      carrier: 'ssh2' | 'openssh' = 'ssh2',
      via: string | null = null,
    ) => ({
      [id]: {
        spec: {
          id,
          dest,
          carrier,
          why: carrier === 'ssh2' ? "nothing here needs the system's ssh" : 'the key is a FIDO key',
          via,
        },
        status: {
          is: 'up' as const,
          since: iso(now - since),
          address,
          cipher: 'aes256-gcm@openssh.com',
          kex: 'curve25519-sha256',
          serverVersion: 'OpenSSH_9.2p1 Debian-2',
          rttMs,
        },
      },
    });
    return {
      ...up('bastion', 'bastion.example.com', '198.51.100.4:22', 11_520_000, 4.2),
      ...up('pr', 'pr.example.com', '198.51.100.17:22', 11_520_000, 18, 'ssh2', 'bastion'),
      ...up('db', 'db-jump', '10.20.0.9:22', 6_120_000, 0.7),
      ...up('vault', 'vault.example.net', '[2001:db8::7]:22', 86_400_000, 31, 'openssh'),
      ...up('home', 'home.example.org', '203.0.113.80:2202', 420_000, 44),
      ldap: {
        spec: { id: 'ldap', dest: 'ldap-gw', carrier: 'ssh2', why: "nothing here needs the system's ssh", via: null },
        status: {
          is: 'retrying',
          error: { code: 'host_refused', message: 'ldap-gw:22 refuses the connection', hint: 'is sshd running there?' },
          nextTry: iso(now + 4000),
          attempt: 5,
        },
      },
      laptop: {
        spec: { id: 'laptop', dest: 'laptop', carrier: 'ssh2', why: "nothing here needs the system's ssh", via: null },
        status: {
          is: 'waiting',
          error: { code: 'passphrase_needed', message: 'passphrase for id_ed25519', hint: 'answer in the dashboard' },
          prompt: 'p1',
        },
      },
    };
  },
  prompts: (iso, now) => [
    {
      id: 'p1',
      link: 'laptop',
      host: 'laptop',
      kind: 'passphrase',
      title: 'passphrase for the key /home/alice/.ssh/id_ed25519',
      instructions: '',
      fields: [{ label: 'passphrase', echo: false }],
      fingerprint: null,
      keyType: null,
      since: iso(now - 60_000),
    },
  ],
  events: [
    [10_900_000, 'info', null, 'engine_started', 'the engine runs, 16 forwards restored'],
    [10_880_000, 'info', 'intra', 'up', 'up over pr.example.com by bastion.example.com'],
    [6_100_000, 'warn', 'postgres', 'host_lost', 'the connection to db-jump was lost: no answer to 3 keepalives'],
    [6_098_000, 'info', 'postgres', 'up', 'up again after 2 s'],
    [420_000, 'info', 'home-socks', 'up', 'up over home.example.org'],
    [228_000, 'info', 'irc', 'opened', '192.168.1.20 called tcp/6667: tcp/113 is open for it'],
    [118_000, 'error', 'registry', 'port_taken', 'port 5000 on 127.0.0.1 is held by docker-proxy (pid 1822)'],
    [60_000, 'warn', 'office', 'passphrase_needed', 'passphrase for id_ed25519'],
    [21_000, 'warn', 'wiki', 'probe_failed', 'wiki.internal:8090 refuses the connection'],
    [12_000, 'warn', 'ldap', 'host_refused', 'ldap-gw:22 refuses the connection; next try in 16 s'],
  ],
  rate(name, at) {
    const [rx, tx] = means[name] ?? [0, 0];
    return { rx: wave(`${name} rx`, at, rx), tx: wave(`${name} tx`, at, tx) };
  },
  totals(name) {
    const [rx, tx] = means[name] ?? [0, 0];
    return { rx: rx * 5000, tx: tx * 5000, flowsTotal: rx === 0 ? 0 : 40 + Math.floor(hash(name) * 800) };
  },
  flows(name, iso, now) {
    const [rx = 0, tx = 0] = means[name] ?? [];
    if (rx === 0) return [];
    const count = 1 + Math.floor(hash(`${name} flows`) * 4);
    const here = name !== 'minecraft' && name !== 'cameras';
    return Array.from({ length: count }, (_, i) => ({
      id: `${name}-${i + 1}`,
      forward: name,
      peer: here
        ? `127.0.0.1:${40_000 + Math.floor(hash(`${name}${i}`) * 20_000)}`
        : `203.0.113.${20 + i}:${50_000 + i * 77}`,
      target: { intra: 'intra.example.com:80', web: 'www-staging.example.com:443' }[name] ?? `${name}.internal:443`,
      rx: Math.floor(rx * 130 * (i + 1)),
      tx: Math.floor(tx * 130 * (i + 1)),
      since: iso(now - 8_000 - i * i * 131_000),
      user: here ? (i % 2 === 0 ? 'alice' : 'deploy') : null,
      pid: here ? 3100 + Math.floor(hash(`${name}pid${i}`) * 900) : null,
    }));
  },
  days: (forward) =>
    Array.from({ length: 12 }, (_, i) => ({
      day: `2026-11-${String(11 + i).padStart(2, '0')}`,
      rx: Math.floor(hash(`${forward} rx ${i}`) * (forward === null ? 9e11 : 4e10)),
      tx: Math.floor(hash(`${forward} tx ${i}`) * (forward === null ? 3e11 : 9e9)),
    })),
  devices: [
    {
      name: 'gamebox',
      address: '192.168.1.20',
      mac: 'aa:bb:cc:00:11:22',
      lease: 'reserved',
      source: 'dnsmasq',
      vendor: 'ASUSTek',
    },
    {
      name: 'camera-yard',
      address: '192.168.1.31',
      mac: 'aa:bb:cc:00:11:31',
      lease: 'dynamic',
      source: 'dnsmasq',
      vendor: 'Axis',
    },
    {
      name: 'nas',
      address: '192.168.1.2',
      mac: 'aa:bb:cc:00:11:02',
      lease: 'static',
      source: 'hosts',
      vendor: 'Synology',
    },
    {
      name: null,
      address: '192.168.1.77',
      mac: 'aa:bb:cc:00:11:77',
      lease: 'unknown',
      source: 'neighbour',
      vendor: null,
    },
    { name: 'vault', address: '2001:db8::7', mac: null, lease: 'unknown', source: 'known_hosts' },
  ],
  router: {
    gateway: '192.168.1.1',
    protocols: ['pcp', 'nat-pmp', 'igd2'],
    externalAddress: '203.0.113.9',
    model: 'Fritz!Box 7590',
    warning: null,
    mappings: [
      {
        proto: 'tcp',
        external: 2222,
        internal: '192.168.1.5:2222',
        lease: 3400,
        description: 'sallyport sftp',
        ours: true,
      },
      {
        proto: 'udp',
        external: 41641,
        internal: '192.168.1.9:41641',
        lease: 5100,
        description: 'tailscale-portmap',
        ours: false,
      },
      {
        proto: 'tcp',
        external: 32400,
        internal: '192.168.1.2:32400',
        lease: 0,
        description: 'Plex Media Server',
        ours: false,
      },
    ],
  },
  audit: [
    { proto: 'tcp', address: '127.0.0.1', port: 8080, owner: 'intra', reach: 'host', layer: 'address', finding: null },
    {
      proto: 'tcp',
      address: '127.0.0.1',
      port: 5432,
      owner: 'postgres',
      reach: 'host',
      layer: 'address',
      finding: null,
    },
    {
      proto: 'tcp',
      address: '0.0.0.0',
      port: 22,
      owner: 'sshd (pid 801)',
      reach: 'world',
      layer: 'address',
      finding: { level: 'low', code: 'foreign_listener', message: 'sshd takes connections from everywhere' },
    },
    { proto: 'tcp', address: '0.0.0.0', port: 25565, owner: 'minecraft', reach: 'world', layer: 'list', finding: null },
    {
      proto: 'tcp',
      address: '10.0.0.5',
      port: 8000,
      owner: 'cameras',
      reach: 'lan',
      layer: 'address',
      finding: {
        level: 'medium',
        code: 'open_to_lan',
        message: 'the whole local network can reach it; --allow would narrow it',
      },
    },
    {
      proto: 'tcp',
      address: '203.0.113.9',
      port: 32400,
      owner: 'router',
      reach: 'world',
      layer: 'router',
      finding: {
        level: 'high',
        code: 'router_foreign',
        message: 'the router lets the world in to 192.168.1.2:32400, and nobody here asked for it',
      },
    },
  ],
};

/** Nothing defined yet. */
export const empty: Scenario = {
  ...workday,
  uptimeMs: 60_000,
  sessions: { default: { note: '' } },
  forwards: [],
  links: () => ({}),
  prompts: () => [],
  events: [],
};

/** Very many tunnels, every third with traffic. */
export function crowd(count: number): Scenario {
  return {
    ...workday,
    prompts: () => [],
    forwards: Array.from({ length: count }, (_, i) => ({
      config: local(`svc-${String(i).padStart(4, '0')}`, 10_000 + i, 'pr.example.com', `svc-${i}.internal`, 80),
      link: 'pr',
    })),
    rate: (name, at) =>
      Number(name.slice(4)) % 3 === 0
        ? { rx: wave(name, at, 90_000), tx: wave(`${name}t`, at, 8000) }
        : { rx: 0, tx: 0 },
    totals: (name) =>
      Number(name.slice(4)) % 3 === 0 ? { rx: 9e6, tx: 8e5, flowsTotal: 4 } : { rx: 0, tx: 0, flowsTotal: 0 },
    flows: () => [],
  };
}

/** A host key nobody has seen before. */
export const unknownHostKey = (iso: Iso, now: number): Prompt => ({
  id: 'p2',
  link: 'ldap',
  host: 'ldap-gw',
  kind: 'host_key',
  title: 'the host key of ldap-gw is not known: ED25519 SHA256:Q8rVkS2a1f0q5u7o3Vb9cXc4bQ1mZkq8vDk2J7e0Rfs',
  instructions: '',
  fields: [],
  fingerprint: 'SHA256:Q8rVkS2a1f0q5u7o3Vb9cXc4bQ1mZkq8vDk2J7e0Rfs',
  keyType: 'ssh-ed25519',
  since: iso(now),
});

export type { Forward };
