// A mapping in the terms a gateway is asked in.
import type { GatewayRule } from '../gateways/gateway.ts';
import type { Mapping } from '../model/config.ts';
import { transports } from '../model/ports.ts';

/** What all rules of a mapping share. */
export function baseRule(mapping: Mapping): Omit<GatewayRule, 'proto' | 'internal'> {
  const { listen } = mapping;
  const address = listen.address === undefined || listen.address === '*' ? null : listen.address;
  return {
    owner: mapping.name,
    external: { address, first: listen.port, last: listen.last ?? listen.port },
    allow: mapping.allow ?? [],
    deny: mapping.deny ?? [],
    masquerade: mapping.masquerade ?? false,
    helper: mapping.helper ?? null,
    maxFlows: mapping.maxFlows ?? null,
    rateBytesPerSecond: mapping.rate ?? null,
  };
}

/** The rules a kernel mapping comes to, one a transport; `address` is the internal host's present one. */
export function kernelRules(mapping: Mapping, address: string): GatewayRule[] {
  return transports(mapping.proto).map((proto) => ({
    ...baseRule(mapping),
    proto,
    internal: { address, first: mapping.target.port },
  }));
}
