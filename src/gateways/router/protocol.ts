import type { Transport } from '../../model/ports.ts';
import type { RouterReport } from '../../model/reports.ts';

export type ProtocolName = RouterReport['protocols'][number];

/** In the order they are tried. */
export const protocolNames = ['pcp', 'nat-pmp', 'igd2', 'igd1'] as const satisfies readonly ProtocolName[];

/** One port of one transport, as a router is asked to map it to this machine. */
export interface PortRequest {
  readonly proto: Transport;
  readonly external: number;
  /** `address` is one of this machine's. */
  readonly internal: { readonly address: string; readonly port: number };
  /** 12 bytes, PCP's proof that a mapping is ours. */
  readonly nonce: Uint8Array;
  /** Shown in the router's own list, by which IGD knows a mapping is ours. */
  readonly description: string;
  /** The router's own number of it, where it gives one (IPv6 pinholes); null otherwise, and before. */
  readonly handle: string | null;
}

export interface Grant {
  readonly external: number;
  readonly externalAddress: string | null;
  /** 0: until it is deleted. */
  readonly lifetimeSeconds: number;
  readonly epochSeconds: number | null;
  readonly handle: string | null;
}

/** A sign of life of a router. */
export interface Pulse {
  readonly epochSeconds: number | null;
  readonly externalAddress: string | null;
}

/** A mapping as the router lists it. */
export interface Listed {
  readonly proto: Transport;
  readonly external: number;
  readonly internal: { readonly address: string; readonly port: number };
  /** Seconds left; 0: until it is deleted. */
  readonly leaseSeconds: number;
  readonly description: string;
}

/**
 * One language a router was found to speak. Failures are SallyportErrors: `gateway_missing` and `gateway_failed` may
 * pass, `gateway_refused` and `gateway_port_taken` will not; `NotSpoken` means the next protocol should be tried.
 */
export interface RouterProtocol {
  readonly name: ProtocolName;
  /** Makes or renews. What is granted may differ from what was asked: the caller compares. */
  make(request: PortRequest, lifetimeSeconds: number, signal: AbortSignal): Promise<Grant>;
  /** Deletes, if it is ours; one that is gone already is fine. */
  remove(request: PortRequest, signal: AbortSignal): Promise<void>;
  pulse(signal: AbortSignal): Promise<Pulse>;
  /** Whether the router still has it; absent where the protocol cannot ask. */
  holds?(request: PortRequest, signal: AbortSignal): Promise<boolean>;
}

/** The router answers, but does not do this in this protocol. */
export class NotSpoken extends Error {
  constructor(protocol: ProtocolName, why: string) {
    super(`the router's ${protocol} is of no use: ${why}`);
    this.name = 'NotSpoken';
  }
}
