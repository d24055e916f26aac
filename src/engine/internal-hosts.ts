import { followHost } from '../machine/internal-host.ts';
import { normalAddress } from '../model/cidr.ts';
import type { Mapping } from '../model/config.ts';
import type { Failure } from '../model/errors.ts';
import { atMost } from './at-most.ts';

/** The address a mapping leads to now, or why there is none; both null while it is being looked for. */
export interface InternalHost {
  readonly address: string | null;
  readonly failure: Failure | null;
}

interface Followed extends InternalHost {
  /** As it was when the following began. */
  readonly mapping: Mapping;
  readonly stop: AbortController;
  address: string | null;
  failure: Failure | null;
  /** Resolves with the first answer, whatever it is. */
  readonly answered: PromiseWithResolvers<void>;
}

/** How long a first answer is waited for. */
const firstAnswerMs = 5000;

/** Follows the internal host of each mapping, which may be given by a name or a MAC, when its address changes. */
export class InternalHosts {
  private readonly followed = new Map<string, Followed>();
  private readonly moved: (mapping: Mapping) => void;

  /** @param moved called with every answer about a mapping's host */
  constructor(moved: (mapping: Mapping) => void) {
    this.moved = moved;
  }

  /** Follows the hosts of these mappings, and no others. */
  update(wanted: readonly Mapping[]): void {
    const present = new Map(wanted.map((mapping) => [mapping.name, mapping]));
    for (const [name, { mapping, stop }] of this.followed) {
      const now = present.get(name);
      if (now !== undefined && sameHost(now, mapping)) continue;
      stop.abort();
      this.followed.delete(name);
    }
    for (const mapping of wanted) if (!this.followed.has(mapping.name)) this.follow(mapping);
  }

  of(name: string): InternalHost | null {
    return this.followed.get(name) ?? null;
  }

  /** Resolves once something is known of each host, or after a while. */
  async answered(): Promise<void> {
    const open = [...this.followed.values()].filter(({ address, failure }) => address === null && failure === null);
    if (open.length > 0) await atMost(firstAnswerMs, Promise.all(open.map(({ answered }) => answered.promise)));
  }

  stop(): void {
    for (const { stop } of this.followed.values()) stop.abort();
  }

  private follow(mapping: Mapping): void {
    const answered = Promise.withResolvers<void>();
    const stop = new AbortController();
    const entry: Followed = { mapping, stop, address: null, failure: null, answered };
    stop.signal.addEventListener('abort', () => answered.resolve());
    this.followed.set(mapping.name, entry);
    const { host } = mapping.target;
    const external = normalAddress(mapping.listen.address ?? '');
    followHost(
      host,
      (addresses, failure) => {
        const six = external?.includes(':');
        entry.address = addresses.find((address) => six === undefined || address.includes(':') === six) ?? null;
        entry.failure = failure ?? (entry.address === null ? wrongFamily(host, six === true) : null);
        answered.resolve();
        this.moved(mapping);
      },
      stop.signal,
    );
  }
}

const sameHost = (a: Mapping, b: Mapping): boolean =>
  a.target.host === b.target.host && a.via === b.via && a.listen.address === b.listen.address;

function wrongFamily(host: string, six: boolean): Failure {
  return {
    code: 'target_unresolved',
    message: `the internal host "${host}" has no ${six ? 'IPv6' : 'IPv4'} address, as the external side has`,
    hint: 'bind the mapping to an address of the other family, or use --via relay',
  };
}
