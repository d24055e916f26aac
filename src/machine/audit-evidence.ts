import { readFile } from 'node:fs/promises';
import type { PortRange } from '../model/ports.ts';
import type { AuditEvidence } from './audit.ts';
import { interfaceAddresses } from './interfaces.ts';
import { listeners } from './sockets.ts';

/** Where the kernel takes the ports of client sockets from, as /proc/sys/net/ipv4/ip_local_port_range says. */
export function parsePortRangeSetting(text: string): PortRange | null {
  const [, first, last] = /^\s*(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
  return first === undefined || last === undefined ? null : { first: Number(first), last: Number(last) };
}

/** What this machine itself contributes to an audit. */
export async function machineEvidence(): Promise<
  Pick<AuditEvidence, 'listeners' | 'ownAddresses' | 'clientPorts' | 'nowMs'>
> {
  const [open, setting] = await Promise.all([
    listeners(),
    readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => ''),
  ]);
  const clientPorts = parsePortRangeSetting(setting);
  return {
    listeners: open,
    ownAddresses: interfaceAddresses().map((entry) => entry.address),
    ...(clientPorts === null ? {} : { clientPorts }),
    nowMs: Date.now(),
  };
}
