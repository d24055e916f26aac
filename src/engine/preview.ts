// What a mapping would do, and what to know about it before it is made; changes nothing.

import { parseMac } from '../machine/devices/sighting.ts';
import { devices } from '../machine/devices.ts';
import { isOwnAddress, lanAddress } from '../machine/interfaces.ts';
import { resolveInternal } from '../machine/internal-host.ts';
import { addressReach, normalAddress } from '../model/cidr.ts';
import type { Mapping } from '../model/config.ts';
import { formatEndpoint } from '../model/endpoint.ts';
import { toFailure } from '../model/errors.ts';
import { formatPortRange, transports } from '../model/ports.ts';
import { secondPortsAdvice } from '../model/second-ports.ts';
import { configuredListen, configuredTarget } from '../model/snapshot.ts';
import type { Engine } from './engine.ts';
import { kernelRules } from './mapping-rules.ts';

export interface Prospect {
  readonly actions: readonly string[];
  readonly warnings: readonly string[];
}

/** A form waits for this; a name that takes longer is said to be unknown at the moment. */
const patienceMs = 1500;

export async function previewMapping(engine: Engine, mapping: Mapping): Promise<Prospect> {
  const warnings: string[] = [];
  const advice = secondPortsAdvice(mapping);
  if (advice !== null) warnings.push(advice);
  let address: string | null = null;
  try {
    address = await presentAddress(mapping);
  } catch (error) {
    warnings.push(toFailure(error).message);
  }
  if (address !== null) warnings.push(...(await movingTarget(mapping, address)));
  return { actions: address === null ? [] : await actionsOf(engine, mapping, address), warnings };
}

async function presentAddress({ target }: Mapping): Promise<string> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${target.host} is still being looked for`)), patienceMs);
  try {
    const [first = target.host] = await Promise.race([resolveInternal(target.host), promise]);
    return first;
  } finally {
    clearTimeout(timer);
  }
}

/** A mapping to an address that DHCP lends out may lead to another machine tomorrow. */
async function movingTarget({ target }: Mapping, address: string): Promise<string[]> {
  if (normalAddress(target.host) === null || isOwnAddress(address)) return [];
  const device = (await devices()).find((one) => one.address === address);
  if (device?.lease !== 'dynamic') return [];
  const mac = device.mac === null || parseMac(device.mac) === null ? null : device.mac.replaceAll(':', '-');
  const pin = mac === null ? '' : `, or map to ${mac} instead, which is followed`;
  return [`${device.name ?? address} has ${address} from DHCP and may get another: reserve it there${pin}`];
}

async function actionsOf(engine: Engine, mapping: Mapping, address: string): Promise<string[]> {
  switch (mapping.via) {
    case 'relay':
      return [`listen on ${configuredListen(mapping)}, and connect each client to ${configuredTarget(mapping)}`];
    case 'nftables':
      return kernelWords(engine.nftables.preview(kernelRules(mapping, address)));
    case 'router':
      return routerWords(mapping, address);
  }
}

/** What of a whole table is about its mappings: elements of its maps, where packets go first, and their own rules. */
function kernelWords(table: string): string[] {
  const [, name = ''] = /^table inet (\w+)/m.exec(table) ?? [];
  const elements = table.split('\n').filter((line) => line.startsWith('add element '));
  const weight = (line: string) => (/ (?:dnat|routed)\w* \{/.test(line) ? 0 : / guard/.test(line) ? 1 : 2);
  const own = [...table.matchAll(/^ {2}chain (r[0-9a-f]{16}_(?:guard|shape)) \{\n((?: {4}.*\n)+)/gm)].flatMap(
    ([, chain, rules = '']) =>
      rules
        .trim()
        .split('\n')
        .map((rule) => `nft add rule inet ${name} ${chain} ${rule.trim()}`),
  );
  return [...elements.sort((a, b) => weight(a) - weight(b)).map((line) => `nft ${line}`), ...own];
}

async function routerWords({ proto, listen, target, name }: Mapping, address: string): Promise<string[]> {
  const own = (await lanAddress(address.includes(':') ? 6 : 4)) ?? 'this machine';
  const ports = { first: listen.port, last: listen.last ?? listen.port };
  const direct = addressReach(address) !== 'host' && isOwnAddress(address);
  const inner = direct ? { first: target.port, last: target.port + ports.last - ports.first } : ports;
  const ask = transports(proto).map(
    (transport) =>
      `ask the router, over PCP, else NAT-PMP, else UPnP-IGD, to map ${transport} ${formatPortRange(ports)} to ` +
      `${formatEndpoint({ host: direct ? address : own, port: formatPortRange(inner) })} for an hour, and renew it at half time`,
  );
  if (direct) return ask;
  const last = formatEndpoint({
    host: address,
    port: formatPortRange({ first: target.port, last: target.port + ports.last - ports.first }),
  });
  return [
    ...ask,
    `listen here on ${own} as well, since a router maps to this machine only, and relay ${name} to ${last}`,
  ];
}
