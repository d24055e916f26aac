import { formatEndpoint } from '../../model/endpoint.ts';
import { formatPortRange } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';
import { familyOf } from './values.ts';

/** Where an owner's rules take connections, as shown: `tcp/0.0.0.0:25565`, `both/…` where both transports are alike. */
export function shownAt(rules: readonly GatewayRule[]): string {
  const places = new Map<string, Set<string>>();
  for (const { proto, external, internal } of rules) {
    const every = familyOf(internal.address) === 'ipv4' ? '0.0.0.0' : '::';
    const place = formatEndpoint({ host: external.address ?? every, port: formatPortRange(external) });
    const protos = places.get(place) ?? new Set();
    places.set(place, protos.add(proto));
  }
  return [...places].map(([place, protos]) => `${protos.size > 1 ? 'both' : [...protos].join('')}/${place}`).join(', ');
}
