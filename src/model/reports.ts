import type { Reach } from './cidr.ts';
import type { Failure } from './errors.ts';

export const findingLevels = ['low', 'medium', 'high'] as const;
export type FindingLevel = (typeof findingLevels)[number];

/** One open port, as `audit --json` prints it. */
export interface AuditRow {
  readonly proto: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** Last port of a mapped range. */
  readonly last?: number;
  /** The forward, or `program (pid N)`, or `router`. */
  readonly owner: string;
  readonly reach: Reach;
  /** What decides who gets in: `address`, `list`, `firewall`, `nftables`, `router`, `sshd`. */
  readonly layer: string;
  readonly finding: { readonly level: FindingLevel; readonly code: string; readonly message: string } | null;
}

export interface AuditReport {
  readonly rows: readonly AuditRow[];
  /** Why the packet filter of the machine had no say in it; null where it had. */
  readonly unreadFirewall: Failure | null;
}

/** A machine on the inside, as `devices --json` prints it. */
export interface Device {
  readonly name: string | null;
  readonly address: string;
  readonly mac: string | null;
  readonly lease: 'static' | 'reserved' | 'dynamic' | 'unknown';
  /** Where it was seen: `neighbour`, `dnsmasq`, `kea`, `isc-dhcpd`, `networkd`, `known_hosts`, `hosts`. */
  readonly source: string;
  readonly vendor?: string | null;
}

export interface RouterMapping {
  readonly proto: 'tcp' | 'udp';
  readonly external: number;
  /** `address:port`. */
  readonly internal: string;
  /** Seconds left; 0 means permanent; null unknown. */
  readonly lease: number | null;
  readonly description: string;
  readonly ours: boolean;
}

/** What stands in front of this machine, as `router --json` prints it. */
export interface RouterReport {
  readonly gateway: string | null;
  readonly protocols: readonly ('pcp' | 'nat-pmp' | 'igd2' | 'igd1')[];
  readonly externalAddress: string | null;
  readonly mappings: readonly RouterMapping[];
  readonly model?: string | null;
  readonly warning?: string | null;
}

/** A forward on this machine that sallyport does not manage, as `scan --json` prints it. */
export interface ScanRow {
  readonly owner: 'ssh' | 'sshd';
  readonly kind: 'local' | 'remote' | 'dynamic';
  readonly listen: string;
  readonly target: string | null;
  readonly user: string | null;
  readonly pid: number;
  readonly rx: number | null;
  readonly tx: number | null;
  /** The command that would take it over; null where it cannot. */
  readonly import: string | null;
}

export const historyRanges = ['1m', '5m', '1h', '24h'] as const;
export type HistoryRange = (typeof historyRanges)[number];

/** Equally spaced samples, oldest first, in bytes per second. */
export interface HistorySeries {
  readonly stepMs: number;
  /** ISO time of the last sample. */
  readonly end: string;
  readonly rx: readonly number[];
  readonly tx: readonly number[];
}

/** What a trigger would do if a host called now. */
export interface TriggerTrial {
  readonly would: 'open' | 'refresh' | 'refuse' | 'take_over';
  readonly why: string;
}

/** Bytes of one local day. */
export interface DayTotal {
  /** YYYY-MM-DD. */
  readonly day: string;
  readonly rx: number;
  readonly tx: number;
}
