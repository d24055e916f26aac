// The kernel gateway at work in a topology's gateway, with what it reports.

import type { GatewayRule } from '../../src/gateways/gateway.ts';
import {
  createNftablesGateway,
  type NftablesGateway,
  type NftablesOptions,
} from '../../src/gateways/nftables/gateway.ts';
import type { ListenerStatus } from '../../src/model/state.ts';
import type { Topology } from './netns.ts';

export interface KernelUnderTest {
  readonly gateway: NftablesGateway;
  readonly statuses: Map<string, ListenerStatus>;
  readonly notes: {
    readonly level: string;
    readonly owner: string | null;
    readonly code: string;
    readonly message: string;
  }[];
}

export const inGateway = (net: Topology): readonly string[] => ['ip', 'netns', 'exec', net.namespace('gateway')];

export function kernelGateway(net: Topology, options: Partial<NftablesOptions> = {}): KernelUnderTest {
  const statuses = new Map<string, ListenerStatus>();
  const notes: KernelUnderTest['notes'] = [];
  const gateway = createNftablesGateway({
    instance: 'test',
    prefix: inGateway(net),
    watchMs: 200,
    reports: {
      status: (owner, status) => statuses.set(owner, status),
      note: (level, owner, code, message) => notes.push({ level, owner, code, message }),
    },
    ...options,
  });
  return { gateway, statuses, notes };
}

/** A mapping of one TCP port on every address to the first LAN host, unless said otherwise. */
export function rule(owner: string, external: number, internal: number, more: Partial<GatewayRule> = {}): GatewayRule {
  return {
    owner,
    proto: 'tcp',
    external: { address: null, first: external, last: external },
    internal: { address: '192.168.77.10', first: internal },
    allow: [],
    deny: [],
    masquerade: false,
    helper: null,
    maxFlows: null,
    rateBytesPerSecond: null,
    ...more,
  };
}
