import { randomBytes } from 'node:crypto';
import { SallyportError } from '../../model/errors.ts';
import type { Way } from './discovery.ts';
import { readLeases, type StoredLease, writeLeases } from './lease-file.ts';
import type { WantedPort } from './plan.ts';
import type { Grant, PortRequest, ProtocolName } from './protocol.ts';

/** A lease in memory: what is stored, and what only this process knows. */
export interface Lease extends StoredLease {
  /** Whether the router granted it, to this process, and has not lost it since. */
  held: boolean;
  renewAtMs: number;
  /** When deleting it is to be tried again. */
  removeAtMs: number;
  externalAddress: string | null;
  permanent: boolean;
  /** Made by an earlier process, and not granted to this one. */
  leftover: boolean;
}

/** A router that grants a second must not make us ask twice a second; one that grants a century is asked daily. */
const renewAfterMs = (lifetimeSeconds: number) => Math.min(Math.max(lifetimeSeconds * 500, 2000), 43_200_000);

/** All leases of ours, in memory and, before any request that needs it, on disk. */
export class LeaseBook {
  private readonly file: string;
  private readonly now: () => number;
  private readonly leases = new Map<string, Lease>();
  private tag = '';
  private readonly unreadable: (setAside: string) => void;
  private loading: Promise<void> | null = null;
  private writing: Promise<void> = Promise.resolve();
  private dirty = false;

  /** @param unreadable told once where a file that makes no sense was put */
  constructor(file: string, now: () => number, unreadable: (setAside: string) => void) {
    this.unreadable = unreadable;
    this.file = file;
    this.now = now;
  }

  /** Reads the file, the first time. Throws SallyportError `gateway_failed`. */
  load(): Promise<void> {
    this.loading ??= readLeases(this.file).then(
      ({ tag, leases, setAside }) => {
        this.tag = tag;
        for (const lease of leases) {
          const runtime = { held: false, renewAtMs: 0, removeAtMs: 0, externalAddress: null, leftover: true };
          this.leases.set(lease.key, { ...lease, ...runtime, permanent: lease.expires === null });
        }
        if (setAside !== null) this.unreadable(setAside);
      },
      (cause) => {
        this.loading = null;
        throw this.unusable('read', cause);
      },
    );
    return this.loading;
  }

  all(): readonly Lease[] {
    return [...this.leases.values()];
  }

  get(key: string): Lease | undefined {
    return this.leases.get(key);
  }

  delete(key: string): void {
    this.leases.delete(key);
  }

  /** The lease for a wanted port at this router: the one there is, with its nonce, or a new one. */
  prepare(port: WantedPort, way: Way): Lease {
    const address = port.internal.address ?? way.local;
    const present = this.leases.get(port.key);
    if (
      present !== undefined &&
      present.gateway === way.gateway &&
      present.internal.address === address &&
      present.internal.port === port.internal.port
    ) {
      present.owner = port.owner;
      return present;
    }
    const lease: Lease = {
      key: port.key,
      owner: port.owner,
      proto: port.proto,
      family: port.family,
      external: port.external,
      internal: { address, port: port.internal.port },
      gateway: way.gateway,
      protocol: null,
      nonce: randomBytes(12).toString('hex'),
      description: `sallyport ${port.owner} ${this.tag}`,
      handle: null,
      expires: null,
      held: false,
      renewAtMs: 0,
      removeAtMs: 0,
      externalAddress: null,
      permanent: false,
      leftover: false,
    };
    this.leases.set(port.key, lease);
    return lease;
  }

  /** Notes that a request is about to go out, and what it may leave behind at the router. */
  async asking(lease: Lease, protocol: ProtocolName, lifetimeSeconds: number): Promise<void> {
    const end = new Date(this.now() + lifetimeSeconds * 1000).toISOString();
    lease.protocol = protocol;
    if (lease.expires === null ? !lease.permanent : lease.expires < end) lease.expires = end;
    await this.save();
  }

  granted(lease: Lease, grant: Grant): void {
    const now = this.now();
    lease.held = true;
    lease.leftover = false;
    lease.permanent = grant.lifetimeSeconds === 0;
    lease.handle = grant.handle;
    lease.externalAddress = grant.externalAddress ?? lease.externalAddress;
    lease.expires = lease.permanent ? null : new Date(now + grant.lifetimeSeconds * 1000).toISOString();
    lease.renewAtMs = now + renewAfterMs(grant.lifetimeSeconds || 7200);
  }

  /** Puts a lease back that `prepare` has replaced. */
  restore(lease: Lease): void {
    lease.held = false;
    this.leases.set(lease.key, lease);
  }

  /** Whether the router may still have it, or had it until a moment ago. */
  alive(lease: Lease, slackMs = 0): boolean {
    return lease.expires === null || Date.parse(lease.expires) + slackMs > this.now();
  }

  /** Writes what has changed; calls at the same time share one write. Throws SallyportError `gateway_failed`. */
  save(): Promise<void> {
    if (!this.dirty) {
      this.dirty = true;
      this.writing = this.writing
        .catch(() => {})
        .then(async () => {
          this.dirty = false;
          await writeLeases(this.file, this.tag, this.all().map(stored));
        })
        .catch((cause) => {
          throw this.unusable('written', cause);
        });
      // Whoever asked for it sees the failure; nobody may be left who did.
      this.writing.catch(() => {});
    }
    return this.writing;
  }

  private unusable(what: string, cause: unknown): SallyportError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new SallyportError(
      'gateway_failed',
      `the file of router leases cannot be ${what}: ${why}`,
      `check the disk and the rights of ${this.file}`,
      { cause },
    );
  }
}

function stored({ held, renewAtMs, removeAtMs, externalAddress, permanent, leftover, ...lease }: Lease): StoredLease {
  return lease;
}

export function requestOf(lease: StoredLease): PortRequest {
  const { proto, external, internal, description, handle } = lease;
  return { proto, external, internal, description, handle, nonce: Buffer.from(lease.nonce, 'hex') };
}
