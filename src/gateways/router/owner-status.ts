import type { Failure } from '../../model/errors.ts';
import { formatPortRange, type Transport } from '../../model/ports.ts';
import type { ListenerStatus } from '../../model/state.ts';
import { isPublic } from './address.ts';
import type { Lease } from './lease-book.ts';
import type { WantedPort } from './plan.ts';

/** What is known of one owner of leases. */
export interface Owner {
  readonly name: string;
  /** Changes with its rules. */
  readonly signature: string;
  readonly ports: readonly WantedPort[];
  /** Why nothing is asked for, or not any more. */
  failed: Failure | null;
  retry: { readonly error: Failure; readonly atMs: number; readonly waitMs: number } | null;
  sinceMs: number | null;
  /** Last reported, as JSON. */
  reported: string;
}

/** How an owner stands, from its leases. Open means every port of it. */
export function ownerStatus(owner: Owner, leases: readonly Lease[]): ListenerStatus {
  if (owner.failed !== null) return { is: 'failed', error: owner.failed };
  if (leases.length === owner.ports.length && leases.every((lease) => lease.held) && owner.sinceMs !== null) {
    const notice = noticeOf(leases);
    const open = { is: 'open', at: describe(leases), since: new Date(owner.sinceMs).toISOString() } as const;
    return notice === null ? open : { ...open, notice };
  }
  if (owner.retry !== null) {
    return { is: 'retrying', error: owner.retry.error, nextTry: new Date(owner.retry.atMs).toISOString() };
  }
  return { is: 'opening' };
}

function noticeOf(leases: readonly Lease[]): Failure | null {
  const hidden = leases.map((lease) => lease.externalAddress).find((address) => address !== null && !isPublic(address));
  if (hidden) {
    return {
      code: 'double_nat',
      message: `the router's external address ${hidden} is itself behind a NAT, so the internet does not reach it`,
      hint: 'map the port on the device in front of the router too, or ask the provider for a public address',
    };
  }
  if (leases.some((lease) => lease.permanent)) {
    return {
      code: 'lease_permanent',
      message: 'the router knows no end to a mapping, so this one stays if sallyport cannot delete it',
      hint: 'after a crash, start sallyport again, or delete it with: sallyport router',
    };
  }
  return null;
}

/** `tcp/80.100.100.1:8000-8002, udp/80.100.100.1:8000`. */
function describe(leases: readonly Lease[]): string {
  const runs: { proto: Transport; address: string; first: number; last: number }[] = [];
  for (const { proto, externalAddress, external } of leases) {
    const address = externalAddress ?? '*';
    const run = runs.at(-1);
    if (run?.proto === proto && run.address === address && run.last + 1 === external) run.last = external;
    else runs.push({ proto, address, first: external, last: external });
  }
  return runs
    .map(({ proto, address, ...ports }) => {
      const host = address.includes(':') ? `[${address}]` : address;
      return `${proto}/${host}:${formatPortRange(ports)}`;
    })
    .join(', ');
}
