// What a trigger's configuration comes to: ranges, and the rules a gateway is asked for.
import type { GatewayRule } from '../../gateways/gateway.ts';
import type { KernelTrigger } from '../../gateways/nftables/kernel-triggers.ts';
import type { PortSet, Trigger } from '../../model/config.ts';
import { parseDuration } from '../../model/duration.ts';
import { triggerSets } from '../../model/kinds.ts';
import { type PortRange, parsePortList, type Transport, transports } from '../../model/ports.ts';

export interface OpenRange extends PortRange {
  readonly proto: Transport;
}

export function openRanges(sets: readonly PortSet[]): OpenRange[] {
  return sets.flatMap(({ proto, ports }) =>
    transports(proto).flatMap((transport) => parsePortList(ports).map((range) => ({ ...range, proto: transport }))),
  );
}

/** Whether the packet path sees the calls, rather than the engine's own flows. */
export const usesKernel = (trigger: Trigger): boolean =>
  (trigger.source ?? (trigger.via === 'nftables' ? 'kernel' : 'flows')) === 'kernel';

/** What of a trigger matters to what it has open. */
export const rulePart = ({ note: _note, session: _session, until: _until, ...rest }: Trigger): string =>
  JSON.stringify(rest);

/** @param host internal address; empty for this machine's own, as a router sees it */
export function gateRule(config: Trigger, range: OpenRange, host: string): GatewayRule {
  return {
    owner: config.name,
    proto: range.proto,
    external: { address: config.bind ?? null, first: range.first, last: range.last },
    internal: { address: host, first: range.first },
    allow: config.allow ?? [],
    deny: config.deny ?? [],
    masquerade: false,
    helper: null,
    maxFlows: config.maxFlows ?? null,
    rateBytesPerSecond: config.rate ?? null,
  };
}

export function kernelTrigger(config: Trigger): KernelTrigger {
  return {
    name: config.name,
    on: openRanges(triggerSets(config.on)),
    open: openRanges(config.open),
    idleMs: parseDuration(config.idle),
    second: config.second,
    from: config.from ?? [],
    to: config.to ?? [],
    bind: config.bind ?? null,
    maxOpenMs: config.maxOpen === undefined ? null : parseDuration(config.maxOpen),
    closeFlows: config.closeFlows ?? false,
    allow: config.allow ?? [],
    deny: config.deny ?? [],
  };
}
