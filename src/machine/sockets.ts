import { normalAddress } from '../model/cidr.ts';
import type { Transport } from '../model/ports.ts';
import { interfaceAddresses, isOwnAddress } from './interfaces.ts';
import { programOf } from './processes.ts';
import { socketOwners } from './socket-owners.ts';
import {
  connectedState,
  listeningState,
  type SocketEnd,
  type SocketEntry,
  socketTable,
  unconnectedState,
} from './socket-table.ts';
import { userNames } from './users.ts';

/** A port something on this machine listens on. */
export interface Listener {
  readonly proto: Transport;
  readonly address: string;
  readonly port: number;
  readonly inode: number;
  readonly uid: number;
  /** Null where the process is not ours to look into. */
  readonly pid: number | null;
  readonly program: string | null;
  readonly user: string | null;
}

/** Who has a port. Without the right to look into the process, `pid` is null and `program` says so in words. */
export interface PortHolder {
  readonly program: string;
  readonly pid: number | null;
  readonly user: string;
}

const isListener = ({ proto, state, remote }: SocketEntry) =>
  proto === 'tcp' ? state === listeningState : state === unconnectedState && remote.port === 0;

/** What this machine listens on: TCP listeners, and UDP sockets that take datagrams from anybody. */
export async function listeners(): Promise<Listener[]> {
  const [table, userOf] = await Promise.all([
    socketTable(['tcp', 'udp'], (_local, _remote, state) => state === '0A' || state === '07'),
    userNames(),
  ]);
  const open = table.filter(isListener);
  const owners = await socketOwners(open.map((entry) => entry.inode));
  return open
    .map(({ proto, local, inode, uid }): Listener => {
      const pid = owners.get(inode) ?? null;
      return { proto, ...local, inode, uid, pid, program: pid === null ? null : programOf(pid), user: userOf(uid) };
    })
    .sort((a, b) => a.port - b.port || a.proto.localeCompare(b.proto) || a.address.localeCompare(b.address));
}

/** How much a socket stands in the way of listening on `address`, 0 for not at all; a mirror of bind(2). */
function obstructs(entry: SocketEntry, addresses: readonly string[] | null): number {
  const { address } = entry.local;
  if (addresses === null || addresses.includes(address)) return 4;
  if (address === '0.0.0.0') return addresses.some((wanted) => !wanted.includes(':')) ? 3 : 0;
  // A socket on :: takes IPv4 too unless it was told not to, which /proc does not show.
  if (address === '::') return addresses.some((wanted) => wanted.includes(':')) ? 3 : 2;
  if (addresses.includes('::')) return 1;
  return addresses.includes('0.0.0.0') && entry.family === 4 ? 3 : 0;
}

function wantedAddresses(address: string | null): string[] | null {
  if (address === null || address === '*') return null;
  if (address === 'localhost') return ['127.0.0.1', '::1'];
  return [normalAddress(address) ?? address];
}

/**
 * Who keeps us from listening on a port; null when nobody does, as far as the kernel tells.
 * @param address null for any address
 */
export async function portHolder(proto: Transport, address: string | null, port: number): Promise<PortHolder | null> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const table = await socketTable([proto], (local) => local.endsWith(suffix));
  const addresses = wantedAddresses(address);
  const rank = (entry: SocketEntry) => obstructs(entry, addresses) * (isListener(entry) ? 10 : 1);
  const [holder] = table.filter((entry) => entry.inode !== 0 && rank(entry) > 0).sort((a, b) => rank(b) - rank(a));
  if (holder === undefined) return null;
  const [owners, userOf] = await Promise.all([socketOwners([holder.inode]), userNames()]);
  const pid = owners.get(holder.inode) ?? null;
  const program = (pid === null ? null : programOf(pid)) ?? 'another program';
  return { program, pid, user: userOf(holder.uid) };
}

/** `nginx (pid 123, user www-data)`. */
export function formatHolder({ program, pid, user }: PortHolder): string {
  return `${program} (${pid === null ? '' : `pid ${pid}, `}user ${user})`;
}

/** One accepted connection: `address:port` of the peer and of our own end. */
export interface Connection {
  readonly peer: string;
  readonly local: string;
  readonly proto?: Transport | 'unix';
}

export interface PeerOwner {
  readonly user: string;
  readonly pid: number | null;
}

/** Splits `1.2.3.4:80` or `[::1]:80`; null for what is neither. */
function parseEnd(text: string): SocketEnd | null {
  const colon = text.lastIndexOf(':');
  const address = colon < 0 ? null : normalAddress(text.slice(0, colon));
  const port = Number(text.slice(colon + 1));
  return address === null || !Number.isInteger(port) || port < 1 || port > 65_535 ? null : { address, port };
}

const endKey = ({ address, port }: SocketEnd) => `${address} ${port}`;

/**
 * Whose the far ends of connections are, for peers on this machine: the owner of the socket whose local end is `peer`
 * and whose remote end is `local`. For UDP the peer's port decides, since its socket need not be connected.
 * @returns by `peer` as given; peers on other machines, and those already gone, are not in it
 */
export async function peerOwners(connections: readonly Connection[]): Promise<Map<string, PeerOwner>> {
  const asked = connections.flatMap(({ peer, local, proto = 'tcp' }) => {
    const [from, to] = [parseEnd(peer), parseEnd(local)];
    return proto === 'unix' || from === null || to === null ? [] : [{ peer, proto, from, to }];
  });
  const found = new Map<string, PeerOwner>();
  if (asked.length === 0) return found;
  const ports = new Set(asked.map(({ from }) => from.port.toString(16).toUpperCase().padStart(4, '0')));
  const protos = (['tcp', 'udp'] as const).filter((proto) => asked.some((one) => one.proto === proto));
  const table = await socketTable(protos, (local) => ports.has(local.slice(-4)));
  const sockets = new Map<string, SocketEntry>();
  for (const entry of table) {
    // What no process holds any more has lost its user as well.
    if (entry.inode === 0) continue;
    if (entry.proto === 'tcp') sockets.set(`tcp ${endKey(entry.local)} ${endKey(entry.remote)}`, entry);
    else if (entry.state === connectedState || isListener(entry)) sockets.set(`udp ${endKey(entry.local)}`, entry);
  }
  const own = protos.includes('udp') ? interfaceAddresses() : [];
  const udpSocket = ({ address, port }: SocketEnd): SocketEntry | undefined => {
    const at = (local: string) => sockets.get(`udp ${endKey({ address: local, port })}`);
    return at(address) ?? (isOwnAddress(address, own) ? (at('0.0.0.0') ?? at('::')) : undefined);
  };
  const matches = asked.flatMap(({ peer, proto, from, to }) => {
    const entry = proto === 'tcp' ? sockets.get(`tcp ${endKey(from)} ${endKey(to)}`) : udpSocket(from);
    return entry === undefined ? [] : [{ peer, entry }];
  });
  const [owners, userOf] = await Promise.all([socketOwners(matches.map(({ entry }) => entry.inode)), userNames()]);
  for (const { peer, entry } of matches) {
    found.set(peer, { user: userOf(entry.uid), pid: owners.get(entry.inode) ?? null });
  }
  return found;
}
