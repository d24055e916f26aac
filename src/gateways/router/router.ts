import { SallyportError } from '../../model/errors.ts';
import type { RawFlow } from '../../model/flow.ts';
import type { Transport } from '../../model/ports.ts';
import type { RouterReport } from '../../model/reports.ts';
import type { Gateway, GatewayCounters, GatewayReports, GatewayRule } from '../gateway.ts';
import type { Family } from './address.ts';
import { listenToAnnouncements } from './announcements.ts';
import { findWay } from './discovery.ts';
import { LeaseBook, requestOf } from './lease-book.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { RouterLink } from './link.ts';
import { type ProtocolName, protocolNames } from './protocol.ts';
import { deleteOther, reportRouter } from './report.ts';

export interface RouterOptions {
  /** Where leases and nonces are kept, so that they can be deleted after a crash. Made with mode 0600. */
  readonly stateFile: string;
  readonly reports: GatewayReports;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Address of the router, null for the gateway of the default route. IPv4. */
  readonly gateway?: string | null;
  /** What is asked for; the router may grant less. */
  readonly leaseSeconds?: number;
  /** How often the route, and the router's health, are looked at while there are leases. */
  readonly watchSeconds?: number;
  /** Which protocols to use, in their own order. */
  readonly protocols?: readonly ProtocolName[];
}

export interface RouterGateway extends Gateway {
  readonly name: 'router';
  /** Looks at the router in every protocol; takes up to some seconds. */
  report(signal?: AbortSignal): Promise<RouterReport>;
  /**
   * Deletes a mapping that is not ours.
   * @throws SallyportError `conflict` when it is ours; `not_found`, `unsupported`, `gateway_refused` and the like
   */
  deleteMapping(proto: Transport, external: number): Promise<void>;
}

/** Announcements closer together than this are heeded once. */
const announcementGapMs = 10_000;

/** The gateway that asks the router in front of this machine, by PCP, NAT-PMP or UPnP-IGD. */
export function createRouterGateway(options: RouterOptions): RouterGateway {
  return new AskedRouter(options);
}

class AskedRouter implements RouterGateway {
  readonly name = 'router';
  private readonly options: Required<RouterOptions>;
  private readonly book: LeaseBook;
  private readonly links: Readonly<Record<Family, RouterLink>>;
  private readonly keeper: LeaseKeeper;
  private readonly ending = new AbortController();
  private queue: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private watchAtMs = 0;
  private ear: { readonly at: string; stop(): void } | null = null;
  private heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: RouterOptions) {
    this.options = {
      now: Date.now,
      gateway: null,
      leaseSeconds: 3600,
      watchSeconds: 30,
      protocols: protocolNames,
      ...options,
    };
    const { now, gateway: override, protocols, stateFile, reports, leaseSeconds } = this.options;
    const link = (family: Family) => new RouterLink({ family, override, protocols, now });
    this.book = new LeaseBook(stateFile, now, (setAside) => {
      const message = `the file of router leases could not be read and was put aside as ${setAside}`;
      reports.note('warn', null, 'router_leases_unreadable', message);
    });
    this.links = { 4: link(4), 6: link(6) };
    this.keeper = new LeaseKeeper({ book: this.book, links: this.links, reports, leaseSeconds, now });
  }

  sync(rules: readonly GatewayRule[]): Promise<void> {
    return this.inTurn(async (signal) => {
      this.keeper.want(rules);
      await this.keeper.settle(signal);
    });
  }

  clear(): Promise<void> {
    return this.inTurn(async (signal) => {
      await this.keeper.removeAll(signal);
    });
  }

  async stop(): Promise<void> {
    this.ending.abort();
    clearTimeout(this.timer);
    this.ear?.stop();
    this.ear = null;
    await this.queue;
  }

  async report(signal: AbortSignal = this.ending.signal): Promise<RouterReport> {
    await this.book.load();
    const { gateway: override, protocols, now } = this.options;
    const leases = this.book.all().filter(({ family }) => family === 4);
    return reportRouter({ override, protocols, leases, now }, AbortSignal.any([signal, this.ending.signal]));
  }

  async deleteMapping(proto: Transport, external: number): Promise<void> {
    await this.book.load();
    const ours = this.book.get(`${proto}/${external}`);
    if (ours !== undefined) {
      throw new SallyportError(
        'conflict',
        `${proto} port ${external} of the router belongs to "${ours.owner}"`,
        `take it down instead: sallyport down ${ours.owner}`,
      );
    }
    await deleteOther(await findWay(4, this.options.gateway), proto, external, this.ending.signal);
  }

  /** Traffic goes through the router, not through here: there is nothing to count. */
  async counters(): Promise<ReadonlyMap<string, GatewayCounters>> {
    return new Map();
  }

  async flows(): Promise<readonly RawFlow[]> {
    return [];
  }

  async kill(): Promise<boolean> {
    return false;
  }

  /** Runs one thing after the other, then sets the timer anew. Nothing runs after `stop`. */
  private inTurn(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.ending;
    const turn = this.queue.then(async () => {
      if (signal.aborted) return;
      try {
        await run(signal);
      } catch (error) {
        // What was under way when `stop` came is on file, and seen to at the next start.
        if (!signal.aborted) throw error;
      } finally {
        this.arm();
      }
    });
    this.queue = turn.catch(() => {});
    return turn;
  }

  private arm(): void {
    clearTimeout(this.timer);
    if (this.ending.signal.aborted || !this.keeper.busy) {
      this.ear?.stop();
      this.ear = null;
      return;
    }
    this.listen();
    const now = this.options.now();
    if (this.watchAtMs <= now) this.watchAtMs = now + this.options.watchSeconds * 1000;
    const nextMs = Math.min(this.keeper.nextMs() ?? Number.POSITIVE_INFINITY, this.watchAtMs);
    this.timer = setTimeout(() => this.tick(), Math.max(50, nextMs - now));
  }

  private tick(): void {
    this.inTurn(async (signal) => {
      if (this.watchAtMs <= this.options.now()) await this.watch(signal);
      await this.keeper.settle(signal);
    }).catch((error: unknown) => {
      this.options.reports.note('error', null, 'router_watch', error instanceof Error ? error.message : String(error));
    });
  }

  private async watch(signal: AbortSignal): Promise<void> {
    for (const family of this.keeper.families()) {
      const sample = this.keeper.sample(family);
      const asked =
        sample === null || sample.protocol === null ? null : { request: requestOf(sample), protocol: sample.protocol };
      const finding = await this.links[family].examine(asked, signal);
      switch (finding.is) {
        case 'silent':
          break;
        case 'same':
          if (finding.externalAddress !== null) this.keeper.moveExternal(family, finding.externalAddress);
          break;
        case 'moved':
          this.note('router_moved', 'the way to the router has changed: leases are asked for again');
          this.keeper.lose(family, { retryFailed: true });
          break;
        case 'lost':
          this.note('router_restarted', 'the router has forgotten its mappings: leases are asked for again');
          this.keeper.lose(family);
          break;
      }
    }
  }

  /** Listens to the router of IPv4 while there are leases there. */
  private listen(): void {
    const { way } = this.links[4];
    const at = way === null ? null : `${way.gateway} ${way.local}`;
    if (way === null || at === null || this.ear?.at === at) return;
    this.ear?.stop();
    const { stop } = listenToAnnouncements(way.gateway, way.local, (epochSeconds) => {
      const now = this.options.now();
      if (now - this.heardMs < announcementGapMs || !this.links[4].hear(epochSeconds)) return;
      this.heardMs = now;
      this.inTurn(async (signal) => {
        this.note('router_restarted', 'the router announces a restart: leases are asked for again');
        this.keeper.lose(4);
        await this.keeper.settle(signal);
      }).catch(() => {});
    });
    this.ear = { at, stop };
  }

  private note(code: string, message: string): void {
    this.options.reports.note('info', null, code, message);
  }
}
