// What is unusual about traffic a gateway carries: told from its counters, as the data plane tells it of its own.
import { Notes } from '../dataplane/notes.ts';
import { KnownPeers, PeerWatch } from '../dataplane/peers.ts';
import type { GatewayCounters } from '../gateways/gateway.ts';
import { normalAddress } from '../model/cidr.ts';
import type { EventLevel } from '../model/event.ts';
import type { RawFlow } from '../model/flow.ts';

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

  /** @param nowMs any clock that only goes forward */
  counted(owner: string, { flowsTotal, refused = 0 }: GatewayCounters, nowMs: number): void {
    const one = this.watched.get(owner);
    if (one === undefined) {
      // What was counted before anybody watched is no news.
      this.watch(owner, { flowsTotal, refused });
      return;
    }
    if (flowsTotal > one.flowsTotal) one.peers.connected(flowsTotal - one.flowsTotal, null, nowMs);
    if (refused > one.refused) one.peers.refused(refused - one.refused, null, nowMs);
    one.flowsTotal = flowsTotal;
    one.refused = refused;
  }

  seen(flows: readonly RawFlow[]): void {
    for (const { forward, peer } of flows) {
      const address = normalAddress(peer.slice(0, peer.lastIndexOf(':')));
      if (address !== null) this.watched.get(forward)?.peers.met(address);
    }
  }

  stop(): void {
    for (const { notes } of this.watched.values()) notes.flush();
    this.watched.clear();
  }

  private watch(owner: string, counts: { flowsTotal: number; refused: number }): void {
    const notes = new Notes((level, code, message) => this.note(level, owner, code, message));
    this.watched.set(owner, { notes, peers: new PeerWatch(owner, this.known, notes), ...counts });
  }
}
