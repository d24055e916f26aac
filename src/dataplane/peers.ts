import { addressReach } from '../model/cidr.ts';
import { BurstWatch, burstMessage, RefusalWatch, refusedMessage } from '../model/unusual.ts';
import type { Notes } from './notes.ts';

/** Addresses remembered for each forward; beyond that the oldest are forgotten, and greeted again. */
const mostKnown = 4096;

/** Who has used each forward, over restarts of its run. One for a worker. */
export class KnownPeers {
  private readonly byForward = new Map<string, Set<string>>();

  /** Whether this address is seen for the first time; it is known from then on. */
  meet(forward: string, address: string): boolean {
    let known = this.byForward.get(forward);
    if (known === undefined) {
      known = new Set();
      this.byForward.set(forward, known);
    }
    if (known.has(address)) return false;
    if (known.size >= mostKnown) known.delete(known.values().next().value as string);
    known.add(address);
    return true;
  }
}

/** Tells what is unusual about who comes to one forward. Notes merge what comes often, so that a flood is one event. */
export class PeerWatch {
  private readonly forward: string;
  private readonly known: KnownPeers;
  private readonly notes: Notes;
  private readonly bursts = new BurstWatch();
  private readonly refusals = new RefusalWatch();

  constructor(forward: string, known: KnownPeers, notes: Notes) {
    this.forward = forward;
    this.known = known;
    this.notes = notes;
  }

  /** A peer is there. Those on this machine are no news. */
  met(address: string): void {
    if (this.known.meet(this.forward, address) && addressReach(address) !== 'host')
      this.notes.say('info', 'first_seen_peer', `${address} connects for the first time`);
  }

  /** @param last whose the last connection is, where that is known */
  connected(count: number, last: string | null, nowMs: number): void {
    const burst = this.bursts.add(count, nowMs);
    if (burst !== null) this.notes.say('warn', 'burst', burstMessage(burst, last));
  }

  refused(clients: number, last: string | null, nowMs: number): void {
    const count = this.refusals.add(clients, nowMs);
    if (count !== null) this.notes.say('warn', 'refused_clients', refusedMessage(count, last));
  }
}
