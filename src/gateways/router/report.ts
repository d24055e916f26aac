import { SallyportError } from '../../model/errors.ts';
import type { Transport } from '../../model/ports.ts';
import type { RouterMapping, RouterReport } from '../../model/reports.ts';
import { isPublic } from './address.ts';
import { findProtocols, findWay, type Way } from './discovery.ts';
import { deleteEntry, hasEntry, listEntries } from './igd/mappings.ts';
import type { Lease } from './lease-book.ts';
import type { Listed, ProtocolName } from './protocol.ts';

export interface ReportOptions {
  readonly override: string | null;
  readonly protocols: readonly ProtocolName[];
  /** IPv4 leases of ours. */
  readonly leases: readonly Lease[];
  readonly now: () => number;
}

/** Looks at the router in every protocol. What it cannot find out is null, or missing from the list. */
export async function reportRouter(options: ReportOptions, signal: AbortSignal): Promise<RouterReport> {
  const way = await findWay(4, options.override);
  if (way === null) {
    const warning = 'there is no default route, hence no router';
    return { gateway: null, protocols: [], externalAddress: null, mappings: [], model: null, warning };
  }
  const found = await findProtocols(way, options.protocols, true, signal);
  const device = found.devices.find(({ wan }) => wan !== null) ?? null;
  const pulses = await Promise.all(
    found.protocols
      .filter(({ name }) => name !== 'pcp')
      .map((protocol) => protocol.pulse(signal).then(({ externalAddress }) => externalAddress, unknown)),
  );
  const granted = options.leases.find(({ held, externalAddress }) => held && externalAddress !== null);
  const externalAddress = granted?.externalAddress ?? pulses.find((address) => address !== null) ?? null;
  const listed = device?.wan ? await listEntries(device.wan, signal) : [];
  return {
    gateway: way.gateway,
    protocols: [...new Set(found.protocols.map(({ name }) => name))],
    externalAddress,
    mappings: merge(listed, options),
    model: device === null || device.model === '' ? null : device.model,
    warning: warn(found.protocols.length, externalAddress),
  };
}

function unknown(error: unknown): null {
  if (error instanceof SallyportError) return null;
  throw error;
}

/** What the router lists, and what of ours it does not: only UPnP can list. */
function merge(listed: readonly Listed[], { leases, now }: ReportOptions): RouterMapping[] {
  const same = (entry: Listed, lease: Lease) =>
    entry.proto === lease.proto &&
    entry.external === lease.external &&
    entry.internal.address === lease.internal.address;
  const rows = listed.map(({ proto, external, internal, leaseSeconds, description }) => ({
    proto,
    external,
    internal: `${internal.address}:${internal.port}`,
    lease: leaseSeconds,
    description,
  }));
  const unlisted = leases.filter((lease) => lease.held && !listed.some((entry) => same(entry, lease)));
  return [
    ...rows.map((row, i) => ({ ...row, ours: leases.some((lease) => same(listed[i] as Listed, lease)) })),
    ...unlisted.map(({ proto, external, internal, expires, description }) => ({
      proto,
      external,
      internal: `${internal.address}:${internal.port}`,
      lease: expires === null ? 0 : Math.max(0, Math.round((Date.parse(expires) - now()) / 1000)),
      description,
      ours: true,
    })),
  ].sort((a, b) => a.external - b.external || a.proto.localeCompare(b.proto));
}

function warn(protocols: number, externalAddress: string | null): string | null {
  if (protocols === 0) return 'it answers neither PCP nor NAT-PMP nor UPnP: switch one on in its settings';
  if (externalAddress === null) return 'it does not tell its external address';
  if (isPublic(externalAddress)) return null;
  return `its external address ${externalAddress} is itself behind a NAT, so the internet does not reach it`;
}

/**
 * Deletes a mapping of the router, whosever it is.
 * @throws SallyportError `gateway_missing`, `unsupported`, `not_found`, `gateway_refused` or `gateway_failed`
 */
export async function deleteOther(
  way: Way | null,
  proto: Transport,
  external: number,
  signal: AbortSignal,
): Promise<void> {
  if (way === null) throw new SallyportError('gateway_missing', 'there is no default route, hence no router');
  const { devices } = await findProtocols(way, ['igd2', 'igd1'], true, signal);
  const wan = devices.find((device) => device.wan !== null)?.wan;
  if (!wan) {
    throw new SallyportError(
      'unsupported',
      `router ${way.gateway} does not speak UPnP, which alone can delete the mappings of others`,
      "delete it on the router's own pages",
    );
  }
  if (!(await hasEntry(wan, proto, external, signal))) {
    throw new SallyportError('not_found', `the router maps no ${proto} port ${external}`, 'see all: sallyport router');
  }
  await deleteEntry(wan, proto, external, signal);
}
