import type { RawFlow } from '../../model/flow.ts';
import type { GatewayPeer } from '../gateway.ts';
import type { Kernel } from './command.ts';
import {
  type Connection,
  connectionOwners,
  dropConnections,
  type ExternalSide,
  flowId,
  isOver,
  isTranslated,
  listConnections,
  toFlow,
} from './conntrack.ts';

interface Listing {
  readonly at: number;
  readonly tookMs: number;
  readonly owned: readonly { readonly connection: Connection; readonly owner: string }[];
  readonly peers: readonly GatewayPeer[];
}

/** Live connections of mappings and opened ports. A listing is shared for a while, the longer the more it cost. */
export class FlowTable {
  readonly #kernel: Kernel;
  #sides: readonly ExternalSide[] = [];
  #listing: Listing | null = null;
  /** When a connection was first seen; the kernel's own time stamps are off by default. */
  #since = new Map<string, string>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  get sides(): readonly ExternalSide[] {
    return this.#sides;
  }

  set sides(sides: readonly ExternalSide[]) {
    this.#sides = sides;
    this.#listing = null;
  }

  async #list(maxAgeMs: number): Promise<Listing> {
    const now = performance.now();
    const last = this.#listing;
    if (last !== null && now - last.at < Math.max(maxAgeMs, last.tookMs * 10)) return last;
    const ownerOf = connectionOwners(this.#sides);
    const connections = this.#sides.length === 0 ? [] : await listConnections(this.#kernel);
    const all = connections.flatMap((connection) => {
      const owner = ownerOf(connection);
      return owner === null ? [] : [{ connection, owner: owner.owner }];
    });
    const owned = all.filter(({ connection }) => !isOver(connection));
    const peers = all.map(({ connection, owner }) => ({ owner, address: connection.original.src }));
    const seen = new Date().toISOString();
    this.#since = new Map(owned.map(({ connection: { id } }) => [id, this.#since.get(id) ?? seen]));
    const at = performance.now();
    this.#listing = { at, tookMs: at - now, owned, peers };
    return this.#listing;
  }

  async flows(owner: string | null): Promise<RawFlow[]> {
    const { owned } = await this.#list(200);
    return owned
      .filter((entry) => owner === null || entry.owner === owner)
      .map((entry) => toFlow(entry.connection, entry.owner, this.#since.get(entry.connection.id) ?? ''));
  }

  /** Where connections came from, at most about two seconds ago; the kernel remembers them for some time. */
  async peers(): Promise<readonly GatewayPeer[]> {
    return (await this.#list(2000)).peers;
  }

  /** Connections by owner, at most about two seconds old. */
  async countByOwner(): Promise<Map<string, number>> {
    const { owned } = await this.#list(2000);
    const counts = new Map<string, number>();
    for (const { owner } of owned) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return counts;
  }

  async kill(flow: string): Promise<boolean> {
    this.#listing = null;
    const { owned } = await this.#list(0);
    const entry = owned.find(({ connection }) => flowId(connection) === flow);
    if (entry === undefined) return false;
    await dropConnections(this.#kernel, [entry.connection]);
    this.#listing = null;
    return true;
  }

  /** Forgets connections that would keep going where they went, so that the next packet meets the new rules. */
  async forget(which: (connection: Connection) => boolean, proto?: 'tcp' | 'udp'): Promise<number> {
    const gone = (await listConnections(this.#kernel, proto)).filter(which);
    await dropConnections(this.#kernel, gone);
    if (gone.length > 0) this.#listing = null;
    return gone.length;
  }

  /** After new rules: a UDP client that was sending already is bound to where its first packet went. */
  async rebindUdp(added: readonly ExternalSide[]): Promise<void> {
    const sides = added.filter(({ proto }) => proto === 'udp');
    if (sides.length === 0) return;
    const hits = externalMatcher(sides);
    await this.forget((connection) => {
      const side = hits(connection);
      if (side === null) return false;
      return !isTranslated(connection) || connection.reply.src !== side.internal.address;
    }, 'udp');
  }

  /** After rules were taken away: their connections end with them. */
  async end(removed: readonly ExternalSide[]): Promise<void> {
    if (removed.length === 0) return;
    const ownerOf = connectionOwners(removed);
    await this.forget((connection) => ownerOf(connection) !== null);
  }
}

/** The side a connection's first packet was sent to, whether or not it was translated. */
function externalMatcher(sides: readonly ExternalSide[]): (connection: Connection) => ExternalSide | null {
  return ({ proto, original, family }) =>
    sides.find(
      ({ proto: its, external, internal }) =>
        its === proto &&
        original.dport >= external.first &&
        original.dport <= external.last &&
        internal.address.includes(':') === (family === 'ipv6') &&
        (external.address === null || external.address === original.dst),
    ) ?? null;
}
