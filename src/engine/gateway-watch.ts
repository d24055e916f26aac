// What is unusual about traffic a gateway carries: told from its counters, as the data plane tells it of its own.
import { Notes } from '../dataplane/notes.ts';
import { KnownPeers, PeerWatch } from '../dataplane/peers.ts';
import type { GatewayCounters, GatewayPeer } from '../gateways/gateway.ts';
import type { EventLevel } from '../model/event.ts';

interface Watched {
  readonly notes: Notes;
  readonly peers: PeerWatch;
  flowsTotal: number;
  refused: number;
}

export class GatewayWatch {
  private readonly note: (level: EventLevel, forward: string, code: string, message: string) => void;
  private readonly known = new KnownPeers();
  private readonly watched = new Map<string, Watched>();

  constructor(note: GatewayWatch['note']) {
    this.note = note;
  }

  /**
   * @param before what it had counted when it was last looked at, by a former engine perhaps; null for nothing
   * @param nowMs any clock that only goes forward
   */
  counted(owner: string, now: GatewayCounters, before: GatewayCounters | null, nowMs: number): void {
    const { flowsTotal, refused = 0 } = now;
    const one = this.watched.get(owner) ?? this.watch(owner, before);
    if (flowsTotal > one.flowsTotal) one.peers.connected(flowsTotal - one.flowsTotal, null, nowMs);
    if (refused > one.refused) one.peers.refused(refused - one.refused, null, nowMs);
    one.flowsTotal = flowsTotal;
    one.refused = refused;
  }

  seen(peers: readonly GatewayPeer[]): void {
    for (const { owner, address } of peers) this.watched.get(owner)?.peers.met(address);
  }

  stop(): void {
    for (const { notes } of this.watched.values()) notes.flush();
    this.watched.clear();
  }

  private watch(owner: string, before: GatewayCounters | null): Watched {
    const notes = new Notes((level, code, message) => this.note(level, owner, code, message));
    const peers = new PeerWatch(owner, this.known, notes);
    const watched = { notes, peers, flowsTotal: before?.flowsTotal ?? 0, refused: before?.refused ?? 0 };
    this.watched.set(owner, watched);
    return watched;
  }
}
