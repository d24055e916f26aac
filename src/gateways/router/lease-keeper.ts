import { type Failure, SallyportError } from '../../model/errors.ts';
import type { GatewayReports, GatewayRule } from '../gateway.ts';
import { type Family, isOwn } from './address.ts';
import { type Lease, type LeaseBook, requestOf } from './lease-book.ts';
import { type RouterLink, within } from './link.ts';
import { type Owner, ownerStatus } from './owner-status.ts';
import { portTaken } from './pcp-client.ts';
import { planLeases, type WantedPort } from './plan.ts';

export interface KeeperOptions {
  readonly book: LeaseBook;
  readonly links: Readonly<Record<Family, RouterLink>>;
  readonly reports: GatewayReports;
  readonly leaseSeconds: number;
  readonly now: () => number;
}

/** Families whose router gave no answer in this round. */
type Silent = Map<Family, SallyportError>;

/** Requests under way at a time; home routers have small queues. */
const parallel = 8;
const firstWaitMs = 2000;
const longestWaitMs = 60_000;
const removalWaitMs = 30_000;
/** So long one removal may take; shorter where someone waits for the engine to stop. */
const requestMs = 20_000;
const clearMs = 6000;
/** Routers take some time to see that a lease is over. */
const formerSlackMs = 10_000;
/** RFC 6887 section 11.2.1: renewals are not closer together than this. */
const renewalWaitMs = 4000;

/**
 * Keeps the leases at the router in line with the rules: removes, makes, renews, and tells how each owner stands.
 * Its methods must not run at the same time.
 */
export class LeaseKeeper {
  private readonly options: KeeperOptions;
  private readonly owners = new Map<string, Owner>();

  constructor(options: KeeperOptions) {
    this.options = options;
  }

  /** Takes over the rules; nothing is asked of the router yet. */
  want(rules: readonly GatewayRule[]): void {
    const plan = planLeases(rules, isOwn);
    const before = new Map(this.owners);
    this.owners.clear();
    for (const name of new Set(rules.map((rule) => rule.owner))) {
      const ports = plan.ports.filter((port) => port.owner === name);
      const failed = plan.refused.get(name) ?? null;
      const signature = JSON.stringify([ports, failed]);
      const known = before.get(name);
      this.owners.set(
        name,
        known?.signature === signature
          ? known
          : { name, signature, ports, failed, retry: null, sinceMs: null, reported: '' },
      );
    }
    this.publish();
  }

  /** Whether there is anything to watch over. */
  get busy(): boolean {
    return this.owners.size > 0 || this.options.book.all().length > 0;
  }

  families(): readonly Family[] {
    const wanted = [...this.owners.values()].flatMap((owner) => owner.ports.map((port) => port.family));
    const kept = this.options.book.all().map((lease) => lease.family);
    return ([4, 6] as const).filter((family) => wanted.includes(family) || kept.includes(family));
  }

  /** A lease the router should have, to look for it there. */
  sample(family: Family): Lease | null {
    return this.options.book.all().find((lease) => lease.family === family && lease.held) ?? null;
  }

  /** All leases of a family must be asked for again, soon. */
  lose(family: Family, { retryFailed = false } = {}): void {
    for (const lease of this.options.book.all()) if (lease.family === family) lease.held = false;
    for (const owner of this.owners.values()) {
      if (!owner.ports.some((port) => port.family === family)) continue;
      owner.retry = null;
      if (retryFailed) owner.failed = null;
    }
  }

  moveExternal(family: Family, address: string): void {
    for (const lease of this.options.book.all()) {
      if (lease.family === family && lease.held) lease.externalAddress = address;
    }
  }

  /** Does what is due: removals first, so that an inner port is free for its next outer one. */
  async settle(signal: AbortSignal): Promise<void> {
    const silent: Silent = new Map();
    try {
      await this.options.book.load();
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      for (const owner of this.owners.values()) if (owner.failed === null) this.postpone(owner, error.failure);
      return this.publish();
    }
    await this.removeUnwanted(silent, requestMs, signal);
    for (const owner of this.owners.values()) await this.serve(owner, silent, signal);
    this.publish();
  }

  /** Removes every lease; those the router does not let go of stay on file. Throws SallyportError `gateway_failed`. */
  async removeAll(signal: AbortSignal): Promise<void> {
    this.owners.clear();
    await this.options.book.load();
    for (const lease of this.options.book.all()) lease.removeAtMs = 0;
    await this.removeUnwanted(new Map(), clearMs, signal);
  }

  /** When `settle` is next needed; null when nothing is due by itself. */
  nextMs(): number | null {
    const wanted = this.wanted();
    const times = this.options.book
      .all()
      .filter((lease) => lease.held || !wanted.has(lease.key))
      .map((lease) => (wanted.has(lease.key) ? lease.renewAtMs : lease.removeAtMs));
    for (const owner of this.owners.values()) if (owner.retry !== null) times.push(owner.retry.atMs);
    return times.length === 0 ? null : Math.min(...times);
  }

  publish(): void {
    for (const owner of this.owners.values()) {
      const leases = owner.ports
        .map((port) => this.options.book.get(port.key))
        .filter((lease) => lease !== undefined)
        .filter((lease) => lease.owner === owner.name);
      for (const lease of leases) if (!this.options.book.alive(lease)) lease.held = false;
      const whole = leases.length === owner.ports.length && leases.every((lease) => lease.held);
      owner.sinceMs = whole ? (owner.sinceMs ?? this.options.now()) : null;
      const status = ownerStatus(owner, leases);
      const text = JSON.stringify(status);
      if (text === owner.reported) continue;
      owner.reported = text;
      this.options.reports.status(owner.name, status);
    }
  }

  private wanted(): Map<string, WantedPort> {
    const serving = [...this.owners.values()].filter((owner) => owner.failed === null);
    return new Map(serving.flatMap((owner) => owner.ports.map((port) => [port.key, port] as const)));
  }

  private async removeUnwanted(silent: Silent, limitMs: number, signal: AbortSignal): Promise<void> {
    const { book, now } = this.options;
    const wanted = this.wanted();
    const doomed = book.all().filter((lease) => {
      const port = wanted.get(lease.key);
      const kept =
        port !== undefined &&
        port.internal.port === lease.internal.port &&
        (port.internal.address ?? lease.internal.address) === lease.internal.address;
      return !kept && lease.removeAtMs <= now();
    });
    if (doomed.length === 0) return;
    await eachOf(doomed, parallel, (lease) => this.remove(lease, silent, limitMs, signal));
    await book.save();
  }

  private async remove(lease: Lease, silent: Silent, limitMs: number, signal: AbortSignal): Promise<void> {
    const { book, links, reports, now } = this.options;
    const link = links[lease.family];
    try {
      const known = silent.get(lease.family);
      if (known !== undefined) throw known;
      const removed = await within(limitMs, signal, async (limited) => {
        const way = await link.connect(limited);
        if (lease.protocol === null || way.gateway !== lease.gateway) return false;
        await link.remove(requestOf(lease), lease.protocol, limited);
        return true;
      });
      if (removed) {
        const message = `${lease.proto} port ${lease.external} is deleted at router ${lease.gateway}`;
        if (lease.leftover)
          reports.note('info', lease.owner, 'router_leftover', `${message}, left from an earlier run`);
        else reports.note('info', lease.owner, 'router_unmapped', message);
      }
      // At another router than the one that is here now it may live on; it is seen to when that one is back.
      if (removed || lease.protocol === null || !book.alive(lease)) book.delete(lease.key);
      else lease.removeAtMs = now() + removalWaitMs;
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      this.noteSilence(silent, lease.family, error);
      lease.held = false;
      if (!book.alive(lease)) return book.delete(lease.key);
      const first = lease.removeAtMs === 0;
      lease.removeAtMs = now() + removalWaitMs;
      if (!first) return;
      const end = lease.expires === null ? 'it has no end' : `it ends at ${lease.expires}`;
      const what = `${lease.proto} port ${lease.external} is still mapped at router ${lease.gateway}`;
      reports.note('warn', lease.owner, 'router_not_unmapped', `${what}: ${error.message}; ${end}`);
    }
  }

  /** A router that does not answer is not asked again in the same round. */
  private noteSilence(silent: Silent, family: Family, error: SallyportError): void {
    if (error.code !== 'gateway_missing' || silent.has(family)) return;
    silent.set(family, error);
    this.options.links[family].reset();
  }

  /** Makes and renews what is due of one owner. */
  private async serve(owner: Owner, silent: Silent, signal: AbortSignal): Promise<void> {
    const { book, now } = this.options;
    if (owner.failed !== null || (owner.retry !== null && owner.retry.atMs > now())) return;
    const due = owner.ports.filter((port) => {
      const lease = book.get(port.key);
      return lease === undefined || !lease.held || lease.owner !== owner.name || lease.renewAtMs <= now();
    });
    if (due.length === 0) return;
    const errors: SallyportError[] = [];
    await eachOf(due, parallel, async (port) => {
      try {
        const known = silent.get(port.family);
        if (known !== undefined) throw known;
        await this.obtain(port, signal);
      } catch (error) {
        if (!(error instanceof SallyportError)) throw error;
        this.noteSilence(silent, port.family, error);
        errors.push(error);
      }
    });
    const final = errors.find((error) => !error.retryable);
    if (final !== undefined) {
      // All or nothing: a mapping that is said to have failed must not be half open.
      owner.failed = final.failure;
      owner.retry = null;
      await this.removeUnwanted(silent, requestMs, signal);
    } else if (errors[0] !== undefined) {
      this.postpone(owner, errors[0].failure);
    } else {
      owner.retry = null;
    }
    this.forgetLost(owner);
    this.publish();
  }

  private async obtain(port: WantedPort, signal: AbortSignal): Promise<void> {
    const { book, links, reports, leaseSeconds } = this.options;
    const link = links[port.family];
    const way = await link.connect(signal);
    const former = book.get(port.key);
    const lease = book.prepare(port, way);
    const request = requestOf(lease);
    const bound = book.alive(lease) ? lease.protocol : null;
    const renewal = lease.held;
    try {
      const { grant, protocol } = await link.make(
        request,
        leaseSeconds,
        bound,
        (name) => book.asking(lease, name, leaseSeconds),
        signal,
      );
      lease.handle = grant.handle;
      if (grant.external !== port.external) {
        await link.remove({ ...request, handle: grant.handle }, protocol, signal);
        throw portTaken(port.proto, port.external, `the router offers port ${grant.external}, for somebody else`);
      }
      book.granted(lease, grant);
      await book.save();
      if (renewal) return;
      const message = `router ${way.gateway} maps ${port.proto} port ${port.external} over ${protocol}`;
      reports.note('info', port.owner, 'router_mapped', `${message} for ${grant.lifetimeSeconds || 'unlimited'} s`);
    } catch (error) {
      if (error instanceof SallyportError && !error.retryable) {
        if (bound !== null && lease.protocol !== bound) {
          lease.protocol = bound;
          throw stillBound(lease, port);
        }
        book.delete(lease.key);
        if (former !== undefined && former !== lease && book.alive(former, formerSlackMs)) {
          book.restore(former);
          throw formerHolds(former, port);
        }
        await book.save();
      }
      throw error;
    }
  }

  /** Sets the next try: of renewals while there is time, of the owner where something is missing. */
  private postpone(owner: Owner, error: Failure): void {
    const { book, now } = this.options;
    let missing = false;
    for (const port of owner.ports) {
      const lease = book.get(port.key);
      if (lease === undefined || !lease.held || !book.alive(lease)) missing = true;
      else if (lease.renewAtMs <= now()) {
        const leftMs = lease.expires === null ? longestWaitMs : Date.parse(lease.expires) - now();
        lease.renewAtMs = now() + Math.max(renewalWaitMs, Math.min(leftMs / 2, longestWaitMs));
      }
    }
    if (!missing) {
      owner.retry = null;
      return;
    }
    const waitMs = Math.min((owner.retry?.waitMs ?? firstWaitMs / 2) * 2, longestWaitMs);
    owner.retry = { error, atMs: now() + waitMs, waitMs };
  }

  /** Where an answer told that the router has restarted, what others had there is gone as well. */
  private forgetLost(served: Owner): void {
    for (const family of [4, 6] as const) {
      if (!this.options.links[family].takeLost()) continue;
      for (const lease of this.options.book.all()) {
        if (lease.family === family && lease.owner !== served.name && lease.held) lease.renewAtMs = 0;
      }
    }
  }
}

/** The router keeps a mapping to an address this machine had before; it ends by itself. */
function formerHolds(former: Lease, { proto, external }: WantedPort): SallyportError {
  return new SallyportError(
    'gateway_failed',
    `the router still maps ${proto} port ${external} to this machine's former address ${former.internal.address}`,
    former.expires === null ? 'delete it with: sallyport router' : `it ends at ${former.expires}`,
  );
}

/** The router was switched to another protocol, and what it granted in the old one stands in the way. */
function stillBound({ protocol, expires }: Lease, { proto, external }: WantedPort): SallyportError {
  return new SallyportError(
    'gateway_failed',
    `the router still holds ${proto} port ${external} as it was asked over ${protocol}, which it no longer answers`,
    expires === null ? `switch ${protocol} on again, or restart the router` : `it ends at ${expires}`,
  );
}

async function eachOf<T>(items: readonly T[], width: number, run: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const lanes = Array.from({ length: Math.min(width, rest.length) }, async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await run(item);
  });
  await Promise.all(lanes);
}
