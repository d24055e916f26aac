import ipaddr from 'ipaddr.js';
import { addressReach, narrowerReach, normalAddress, parseCidr, type Reach, widerReach } from '../model/cidr.ts';
import type { Forward } from '../model/config.ts';
import { type FindingCode, findings, isSensitivePort } from '../model/findings.ts';
import type { InputFirewall } from '../model/firewall.ts';
import type { PortRange, Proto, Transport } from '../model/ports.ts';
import { transports } from '../model/ports.ts';
import { type AuditRow, findingLevels, type RouterMapping } from '../model/reports.ts';
import { shadows } from '../model/shadow.ts';
import type { ForwardView } from '../model/snapshot.ts';
import type { Listener } from './sockets.ts';

/** A mapping as the kernel performs it. */
export interface KernelMapping {
  readonly owner: string;
  readonly proto: Transport;
  /** `address` null: every address of this machine. */
  readonly external: { readonly address: string | null; readonly first: number; readonly last: number };
  readonly internal: { readonly address: string; readonly first: number };
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface AuditEvidence {
  readonly listeners: readonly Listener[];
  readonly forwards: readonly { readonly view: ForwardView; readonly config: Forward }[];
  readonly kernelMappings: readonly KernelMapping[];
  readonly routerMappings: readonly RouterMapping[];
  /** Processes of sallyport. */
  readonly ourPids: ReadonlySet<number>;
  /** Addresses of this machine, to tell which router mappings lead here. */
  readonly ownAddresses: readonly string[];
  readonly externalAddress: string | null;
  /** The packet filter of this machine, where it could be read. */
  readonly firewall?: InputFirewall;
  /** Where the kernel takes ports of client sockets from. */
  readonly clientPorts?: PortRange;
  readonly nowMs: number;
}

type Finding = NonNullable<AuditRow['finding']>;
const rank = (code: FindingCode) => findingLevels.indexOf(findings[code].level);

/** The worst of what was found, as the row says it. */
function worst(codes: readonly (FindingCode | null)[]): Finding | null {
  const order = Object.keys(findings);
  const [code] = codes
    .filter((one) => one !== null)
    .sort((a, b) => rank(b) - rank(a) || order.indexOf(a) - order.indexOf(b));
  return code === undefined ? null : { level: findings[code].level, code, message: findings[code].message };
}

/** Who a list lets in: the widest of its networks. No list, and one with all addresses in it, is the world. */
export function listReach(allow: readonly string[] = []): Reach {
  if (allow.length === 0) return 'world';
  return allow
    .map((entry): Reach => {
      const [network = '', bits = '0'] = parseCidr(entry).split('/');
      // A network wider than any private one has public addresses in it, whatever its first address is.
      return Number(bits) < (network.includes(':') ? 7 : 8) ? 'world' : addressReach(network);
    })
    .reduce(widerReach);
}

const listsNothing = (allow: readonly string[] = []) =>
  allow.length === 0 || allow.some((entry) => parseCidr(entry).endsWith('/0'));

/** Whether each allowed network lies in a denied one. */
function allDenied(allow: readonly string[] = [], deny: readonly string[] = []): boolean {
  const networks = (list: readonly string[]) => list.map((entry) => ipaddr.parseCIDR(parseCidr(entry)));
  const denied = networks(deny);
  return (
    allow.length > 0 &&
    networks(allow).every(([address, bits]) =>
      denied.some(
        ([network, length]) =>
          network.kind() === address.kind() && length <= bits && address.match([network, length] as never),
      ),
    )
  );
}

/** Who can reach a wildcard address is not for this machine to tell: it may have a public address tomorrow, or a router in front. */
const reachOf = (address: string | null): Reach => (address === null ? 'world' : addressReach(address));

interface ListenRange {
  readonly protos: readonly Transport[];
  readonly address: string;
  readonly first: number;
  readonly last: number;
}

/** Reads a forward's `listen`: `127.0.0.1:8080`, `tcp/[::]:25565`, `both/0.0.0.0:1000-1010`; null for a Unix socket. */
export function parseListen(text: string): ListenRange | null {
  const [, proto = 'tcp', host = '', first = '', last = first] =
    /^(?:(tcp|udp|both)\/)?(.*):(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const address = normalAddress(host);
  if (address === null) return null;
  return { protos: transports(proto as Proto), address, first: Number(first), last: Number(last) };
}

/** Whether the forward is the one behind a listener of the engine. Both loopbacks are written as 127.0.0.1. */
function isBehind({ view, config }: AuditEvidence['forwards'][number], { proto, address, port }: Listener): boolean {
  if (config.kind === 'remote' || view.desired === 'down') return false;
  if (config.kind === 'trigger') {
    if (config.via !== 'relay') return false;
    return view.opened.some((one) => one.proto === proto && inPorts(one.ports, port));
  }
  if (config.kind === 'mapping' && config.via === 'nftables') return false;
  const range = parseListen(view.listen);
  if (range === null || !range.protos.includes(proto) || port < range.first || port > range.last) return false;
  const pair = (one: string) => ({ '::1': '127.0.0.1', '::': '0.0.0.0' })[one] ?? one;
  return config.kind === 'mapping' && config.via === 'router' ? true : pair(range.address) === pair(address);
}

function inPorts(list: string, port: number): boolean {
  return list.split(',').some((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return first <= port && port <= last;
  });
}

const leadsNowhere = ({ view }: { view: ForwardView }): FindingCode | null =>
  view.state === 'degraded' ? 'target_silent' : null;

/** The port inside that one outside leads to; 0 where there is none. */
function targetPort(config: Forward, port: number): number {
  if (config.kind === 'mapping') return config.target.port + port - config.listen.port;
  return 'target' in config && config.target !== undefined && 'port' in config.target ? config.target.port : 0;
}

/**
 * Who is left of those who can reach a listener when the firewall of this machine is done with them.
 * @param open whether nothing but the address says who they are
 * @returns null where the firewall leaves them as they are
 */
function firewalled(reach: Reach, open: boolean, listener: Listener, { firewall }: AuditEvidence): Reach | null {
  if (reach === 'host') return null;
  const admitted = firewall?.admits(listener.proto, listener.address, listener.port) ?? null;
  if (admitted === null) return null;
  // Within the world, as well, it makes a difference whether all of it gets in.
  return narrowerReach(reach, admitted) !== reach || (open && reach === 'world') ? admitted : null;
}

/** A row for a listener of the engine that a forward explains. */
function ownRow(listener: Listener, forward: AuditEvidence['forwards'][number], evidence: AuditEvidence): AuditRow {
  const { config, view } = forward;
  const { proto, address, port } = listener;
  const unlisted = listsNothing(config.allow);
  const bound = narrowerReach(reachOf(address), listReach(config.allow));
  const kept = firewalled(bound, unlisted, listener, evidence);
  const reach = kept ?? bound;
  const open = reach !== 'host' && unlisted && kept === null;
  const sensitive = isSensitivePort(port) || isSensitivePort(targetPort(config, port));
  const socks =
    config.kind === 'dynamic' && config.login === undefined && reachOf(address) !== 'host' && kept !== 'host';
  // What a trigger opens is open on purpose, to one host and for a time.
  const meant = config.kind === 'trigger';
  const finding = worst([
    socks ? (open ? 'socks_open' : 'socks_listed') : null,
    open && !meant && reach === 'world' ? (sensitive ? 'sensitive_world' : 'open_to_world') : null,
    open && !meant && reach === 'lan' && sensitive ? 'sensitive_lan' : null,
    allDenied(config.allow, config.deny) ? 'rule_shadowed' : null,
    leadsNowhere(forward),
  ]);
  const listed = reachOf(address) !== 'host' && Boolean(config.allow?.length || config.deny?.length);
  const layer = kept !== null ? 'firewall' : listed ? 'list' : 'address';
  return { proto, address, port, owner: view.name, reach, layer, finding };
}

/** Where routers announce a restart or another address (RFC 6886 3.2.1, RFC 6887 14.1); the engine only listens there. */
const announcementPort = 5350;

/** A row for a listener sallyport has nothing to do with. */
function foreignRow(listener: Listener, evidence: AuditEvidence): AuditRow {
  const { proto, address, port, pid, program, user } = listener;
  const kept = firewalled(reachOf(address), true, listener, evidence);
  const reach = kept ?? reachOf(address);
  const ours = pid !== null && evidence.ourPids.has(pid);
  const name = ours ? 'sallyport' : (program ?? `a program of ${user ?? 'somebody'}`);
  const owner = pid === null ? name : `${name} (pid ${pid})`;
  const listensToRouter = ours && proto === 'udp' && port === announcementPort;
  const sshServer = proto === 'tcp' && port === 22 && /^(?:sshd|dropbear|systemd|init)?$/.test(program ?? '');
  const sshForward = proto === 'tcp' && port !== 22 && /^sshd(?:-session)?$/.test(program ?? '');
  const { first, last } = evidence.clientPorts ?? { first: 32_768, last: 60_999 };
  const clientSocket =
    proto === 'udp' && ((first <= port && port <= last) || port === 68 || port === 546 || port === 5353);
  const listedByFirewall = kept === 'world' && !sshForward;
  const shadowed = evidence.kernelMappings.some((mapping) => shadows(mapping, listener, evidence.listeners));
  const unmanaged: FindingCode | null = sshServer
    ? 'ssh_server'
    : clientSocket
      ? 'client_socket'
      : reach === 'lan'
        ? isSensitivePort(port)
          ? 'sensitive_lan'
          : 'unmanaged_lan'
        : isSensitivePort(port)
          ? 'sensitive_world'
          : sshForward
            ? 'sshd_forward'
            : 'unmanaged_world';
  return {
    proto,
    address,
    port,
    owner,
    reach,
    layer: kept !== null ? 'firewall' : sshForward ? 'sshd' : 'address',
    finding: worst([
      reach === 'host' || listensToRouter || listedByFirewall ? null : unmanaged,
      shadowed && reach !== 'host' ? 'shadowed' : null,
    ]),
  };
}

function kernelRow(mapping: KernelMapping, evidence: AuditEvidence): AuditRow {
  const { owner, proto, external, internal, allow, deny } = mapping;
  const forward = evidence.forwards.find(({ view }) => view.name === owner);
  const reach = narrowerReach(reachOf(external.address), listReach(allow));
  const open = listsNothing(allow) && forward?.config.kind !== 'trigger';
  const count = external.last - external.first;
  const holds = ({ first, last }: PortRange) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i).some(isSensitivePort);
  // A range as wide as most of all ports names no service.
  const sensitive = count <= 100 && (holds(external) || holds({ first: internal.first, last: internal.first + count }));
  return {
    proto,
    address: external.address ?? (internal.address.includes(':') ? '::' : '0.0.0.0'),
    port: external.first,
    ...(count > 0 ? { last: external.last } : {}),
    owner,
    reach,
    layer: 'nftables',
    finding: worst([
      open && reach === 'world' ? (sensitive ? 'sensitive_world' : 'open_to_world') : null,
      open && reach === 'lan' && sensitive ? 'sensitive_lan' : null,
      allDenied(allow, deny) ? 'rule_shadowed' : null,
      forward === undefined ? null : leadsNowhere(forward),
    ]),
  };
}

function routerRow(mapping: RouterMapping, evidence: AuditEvidence): AuditRow {
  const { proto, external, internal, ours } = mapping;
  const forward = ours
    ? evidence.forwards.find(({ view, config }) => {
        if (config.kind === 'trigger') {
          return (
            config.via === 'router' && view.opened.some((one) => one.proto === proto && inPorts(one.ports, external))
          );
        }
        if (config.kind !== 'mapping' || config.via !== 'router' || !transports(config.proto).includes(proto))
          return false;
        return config.listen.port <= external && external <= (config.listen.last ?? config.listen.port);
      })
    : undefined;
  const inside = parseListen(internal);
  const expired = forward?.config.until !== undefined && Date.parse(forward.config.until) < evidence.nowMs;
  const leadsHere = inside !== null && evidence.ownAddresses.includes(inside.address);
  const answered =
    inside === null ||
    evidence.listeners.some((one) => one.proto === proto && one.port === inside.first) ||
    evidence.kernelMappings.some(
      (one) => one.proto === proto && one.external.first <= inside.first && inside.first <= one.external.last,
    );
  const sensitive = isSensitivePort(external) || (inside !== null && isSensitivePort(inside.first));
  return {
    proto,
    address: evidence.externalAddress ?? '0.0.0.0',
    port: external,
    owner: forward?.view.name ?? 'router',
    reach: 'world',
    layer: 'router',
    finding: worst([
      sensitive ? 'sensitive_world' : null,
      !ours ? 'router_foreign' : null,
      ours && !expired && forward?.view.desired !== 'up' ? 'router_leftover' : null,
      expired ? 'router_expired' : null,
      forward !== undefined && forward.config.kind !== 'trigger' ? 'router_open' : null,
      leadsHere && !answered ? 'router_silent' : null,
      forward === undefined ? null : leadsNowhere(forward),
    ]),
  };
}

/**
 * Every port this machine listens on or has mapped, here or on the router, with who can reach it, what decides that,
 * and the worst thing to be said about it.
 */
export function auditRows(evidence: AuditEvidence): AuditRow[] {
  const listening = evidence.listeners.map((listener) => {
    const ours = listener.pid !== null && evidence.ourPids.has(listener.pid);
    const forward = ours ? evidence.forwards.find((one) => isBehind(one, listener)) : undefined;
    return forward === undefined ? foreignRow(listener, evidence) : ownRow(listener, forward, evidence);
  });
  const rows = [
    ...listening,
    ...evidence.kernelMappings.map((mapping) => kernelRow(mapping, evidence)),
    ...evidence.routerMappings.map((mapping) => routerRow(mapping, evidence)),
  ];
  rows.sort((a, b) => a.port - b.port || a.proto.localeCompare(b.proto) || a.address.localeCompare(b.address));
  return joinPorts(rows, new Set(evidence.forwards.map(({ view }) => view.name)));
}

/** Ports in a row that a forward holds, and of which the same is to be said, as one row. A relay listens on each by itself. */
function joinPorts(rows: readonly AuditRow[], names: ReadonlySet<string>): AuditRow[] {
  const joined: AuditRow[] = [];
  const ends = new Map<string, number>();
  for (const row of rows) {
    const { proto, address, owner, reach, layer, finding, port, last = port } = row;
    const key = JSON.stringify([proto, address, owner, reach, layer, finding?.code]);
    const place = ends.get(key);
    const before = place === undefined ? undefined : joined[place];
    if (names.has(owner) && place !== undefined && before !== undefined && (before.last ?? before.port) + 1 === port) {
      joined[place] = { ...before, last };
      continue;
    }
    ends.set(key, joined.push(row) - 1);
  }
  return joined;
}
