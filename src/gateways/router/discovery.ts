import { SallyportError } from '../../model/errors.ts';
import type { Family } from './address.ts';
import { addressToward } from './exchange.ts';
import { type IgdDevice, readDevice } from './igd/device.ts';
import { createIgdMappings } from './igd/mappings.ts';
import { createIgdPinholes } from './igd/pinholes.ts';
import { createNatPmp } from './natpmp-client.ts';
import { createPcp } from './pcp-client.ts';
import { NotSpoken, type ProtocolName, protocolNames, type RouterProtocol } from './protocol.ts';
import { readDefaultRoute } from './route.ts';
import { searchDevices } from './search.ts';

/** The router on the way out, and this machine's address toward it. */
export interface Way {
  readonly family: Family;
  readonly gateway: string;
  readonly local: string;
}

/**
 * The way out, by the routing table.
 * @param override a router's address, for machines whose default route leads elsewhere; IPv4
 * @returns null when there is none
 */
export async function findWay(family: Family, override: string | null): Promise<Way | null> {
  const gateway = family === 4 && override !== null ? override : (await readDefaultRoute(family))?.gateway;
  if (gateway === undefined) return null;
  const local = await addressToward(gateway);
  return local === null ? null : { family, gateway, local };
}

export interface Found {
  /** In the order they should be tried. */
  readonly protocols: readonly RouterProtocol[];
  readonly devices: readonly IgdDevice[];
}

/** What passes for "it does not speak that", while probing. */
function silence(error: unknown): null {
  if (error instanceof SallyportError || error instanceof NotSpoken) return null;
  throw error;
}

/**
 * Which protocols a router speaks.
 * @param want those to look for
 * @param thorough look for all of them; else UPnP, which takes seconds, only when neither PCP nor NAT-PMP answers
 */
export async function findProtocols(
  way: Way,
  want: readonly ProtocolName[],
  thorough: boolean,
  signal: AbortSignal,
): Promise<Found> {
  const udp = [createPcp(way.gateway), ...(way.family === 4 ? [createNatPmp(way.gateway)] : [])];
  const upnp = want.includes('igd2') || want.includes('igd1');
  const probes = Promise.all(
    udp
      .filter((protocol) => want.includes(protocol.name))
      .map((protocol) => protocol.pulse(signal).then(() => protocol, silence)),
  );
  const searched = thorough && upnp ? findDevices(way, signal) : null;
  const answered = (await probes).filter((protocol) => protocol !== null);
  if (searched === null && (answered.length > 0 || !upnp)) return { protocols: answered, devices: [] };
  const devices = await (searched ?? findDevices(way, signal));
  const create = way.family === 4 ? createIgdMappings : createIgdPinholes;
  const igd = devices
    .map(create)
    .filter((protocol) => protocol !== null)
    .filter((protocol) => want.includes(protocol.name));
  const protocols = [...answered, ...igd].sort((a, b) => protocolNames.indexOf(a.name) - protocolNames.indexOf(b.name));
  return { protocols, devices };
}

/**
 * Gateway devices, IGD 2 first: those of the router itself, or of others in the LAN where it has none (it may answer
 * under another of its addresses). IPv6 pinholes too are asked for over IPv4.
 */
async function findDevices(way: Way, signal: AbortSignal): Promise<readonly IgdDevice[]> {
  const over4 = way.family === 4 ? way : await findWay(4, null);
  if (over4 === null) return [];
  const answers = await searchDevices(over4.gateway, over4.local, signal);
  const own = answers.filter(({ location }) => new URL(location).hostname === over4.gateway);
  const read = await Promise.all(
    (own.length > 0 ? own : answers).map(({ location }) => readDevice(location, signal).catch(silence)),
  );
  return read.filter((device) => device !== null).sort((a, b) => b.version - a.version);
}
