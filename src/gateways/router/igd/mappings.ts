// Port mappings of IPv4 connections (WANIPConnection:1 and :2, WANPPPConnection:1).
import { SallyportError } from '../../../model/errors.ts';
import type { Transport } from '../../../model/ports.ts';
import { portTaken, refused } from '../pcp-client.ts';
import { type Grant, type Listed, NotSpoken, type PortRequest, type Pulse, type RouterProtocol } from '../protocol.ts';
import { type IgdService, plain } from './description.ts';
import { callAction, externalAddress, type IgdDevice } from './device.ts';
import { type SoapAnswer, upnpErrors } from './soap.ts';

/** Longer lists are a router gone wrong, or a hostile one. */
const maxListed = 1024;
const maxListingMs = 15_000;
/** IGD 2 knows no longer lease than a week. */
const maxLeaseSeconds = 604_800;

const key = (proto: Transport, external: number) => ({
  NewRemoteHost: '',
  NewExternalPort: external,
  NewProtocol: proto.toUpperCase(),
});

const port16 = (text: string | undefined): number | null => {
  const number = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return number >= 1 && number <= 65_535 ? number : null;
};

function readEntry(values: ReadonlyMap<string, string>): Omit<Listed, 'proto' | 'external'> | null {
  const port = port16(values.get('NewInternalPort'));
  if (port === null) return null;
  const lease = Number(values.get('NewLeaseDuration') ?? 0);
  return {
    internal: { address: plain(values.get('NewInternalClient') ?? ''), port },
    leaseSeconds: Number.isSafeInteger(lease) && lease > 0 ? lease : 0,
    description: plain(values.get('NewPortMappingDescription') ?? ''),
  };
}

type Entry = ReturnType<typeof readEntry>;

/** The entry of one port; null when there is none; undefined when the router cannot be asked that. */
async function entryOf(
  service: IgdService,
  proto: Transport,
  external: number,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  const answer = await callAction(service, 'GetSpecificPortMappingEntry', key(proto, external), signal);
  if (answer.ok) return readEntry(answer.values);
  return answer.code === upnpErrors.noSuchEntry ? null : undefined;
}

const isOurs = (entry: NonNullable<Entry>, request: PortRequest) =>
  entry.internal.address === request.internal.address &&
  entry.internal.port === request.internal.port &&
  entry.description === request.description;

/** Mappings of one device; null when it has no IPv4 connection. */
export function createIgdMappings(device: IgdDevice): RouterProtocol | null {
  const { wan: service } = device;
  const name = device.version === 2 ? 'igd2' : 'igd1';
  if (service === null) return null;

  const add = (request: PortRequest, lease: number, signal: AbortSignal) =>
    callAction(
      service,
      'AddPortMapping',
      {
        ...key(request.proto, request.external),
        NewInternalPort: request.internal.port,
        NewInternalClient: request.internal.address,
        NewEnabled: 1,
        NewPortMappingDescription: request.description,
        NewLeaseDuration: lease,
      },
      signal,
    );

  return {
    name,

    async make(request, lifetimeSeconds, signal): Promise<Grant> {
      // A router lets a client overwrite its own entries, so another program's on this machine would be lost.
      const before = await entryOf(service, request.proto, request.external, signal);
      if (before && !isOurs(before, request)) throw takenBy(before, request);
      let lease = Math.min(lifetimeSeconds, maxLeaseSeconds);
      let answer = await add(request, lease, signal);
      if (!answer.ok && answer.code === upnpErrors.onlyPermanentLeases) {
        lease = 0;
        answer = await add(request, lease, signal);
      }
      if (!answer.ok) throw failureOf(answer, name, request);
      const after = await entryOf(service, request.proto, request.external, signal);
      if (after === null) {
        throw new SallyportError('gateway_failed', `the router agreed to map port ${request.external}, and did not`);
      }
      if (after !== undefined && after.internal.address !== request.internal.address) throw takenBy(after, request);
      return {
        external: request.external,
        externalAddress: await externalAddress(service, signal),
        lifetimeSeconds: after === undefined ? lease : Math.min(lease, after.leaseSeconds),
        epochSeconds: null,
        handle: null,
      };
    },

    async remove(request, signal): Promise<void> {
      const entry = await entryOf(service, request.proto, request.external, signal);
      if (entry === null || (entry !== undefined && !isOurs(entry, request))) return;
      await deleteEntry(service, request.proto, request.external, signal);
    },

    async pulse(signal): Promise<Pulse> {
      return { epochSeconds: null, externalAddress: await externalAddress(service, signal) };
    },

    async holds(request, signal): Promise<boolean> {
      const entry = await entryOf(service, request.proto, request.external, signal);
      return entry === undefined || (entry !== null && isOurs(entry, request));
    },
  };
}

/** Whether the router has an entry for the port; true too where it cannot be asked. */
export async function hasEntry(
  service: IgdService,
  proto: Transport,
  external: number,
  signal: AbortSignal,
): Promise<boolean> {
  return (await entryOf(service, proto, external, signal)) !== null;
}

/**
 * Deletes an entry, whosever it is; one that is not there is fine.
 * @throws SallyportError `gateway_refused` or `gateway_failed`
 */
export async function deleteEntry(
  service: IgdService,
  proto: Transport,
  external: number,
  signal: AbortSignal,
): Promise<void> {
  const answer = await callAction(service, 'DeletePortMapping', key(proto, external), signal);
  if (answer.ok || answer.code === upnpErrors.noSuchEntry) return;
  const what = `the router does not delete ${proto} port ${external}: ${plain(answer.description)} (${answer.code})`;
  throw answer.code === upnpErrors.notAuthorized
    ? new SallyportError('gateway_refused', what, 'it lets only the machine that holds a mapping delete it')
    : new SallyportError('gateway_failed', what);
}

/** Every mapping the router has, as far as it tells, up to a number and a time. */
export async function listEntries(service: IgdService, signal: AbortSignal): Promise<readonly Listed[]> {
  const listed: Listed[] = [];
  const end = performance.now() + maxListingMs;
  for (let index = 0; index < maxListed && performance.now() < end; index++) {
    const asked = callAction(service, 'GetGenericPortMappingEntry', { NewPortMappingIndex: index }, signal);
    const answer = await asked.catch((error: unknown) => {
      if (error instanceof SallyportError) return null;
      throw error;
    });
    // 713 ends the list; routers also use other errors for it, or hang up.
    if (answer === null || !answer.ok) break;
    const proto = answer.values.get('NewProtocol')?.toLowerCase();
    const external = port16(answer.values.get('NewExternalPort'));
    const entry = readEntry(answer.values);
    if ((proto === 'tcp' || proto === 'udp') && external !== null && entry !== null) {
      listed.push({ proto, external, ...entry });
    }
  }
  return listed;
}

function takenBy(entry: NonNullable<Entry>, { proto, external }: PortRequest): SallyportError {
  const what = entry.description === '' ? '' : ` (${entry.description})`;
  return portTaken(proto, external, `${entry.internal.address}${what}`);
}

function failureOf(
  answer: SoapAnswer & { ok: false },
  name: 'igd1' | 'igd2',
  request: PortRequest,
): SallyportError | NotSpoken {
  const port = `${request.proto} port ${request.external}`;
  const why = `${plain(answer.description)} (${answer.code})`;
  switch (answer.code) {
    case upnpErrors.conflict:
    case upnpErrors.conflictWithOtherMechanisms:
      return portTaken(request.proto, request.external);
    case upnpErrors.invalidAction:
      return new NotSpoken(name, why);
    case upnpErrors.notAuthorized:
    case upnpErrors.invalidArguments:
    case upnpErrors.samePortValuesRequired:
      return refused(port, why);
    default:
      return new SallyportError('gateway_failed', `the router cannot map ${port} now: ${why}`);
  }
}
