import type { Mapping } from './config.ts';
import { portsOverlap, type Transport, transports } from './ports.ts';

interface SecondPorts {
  readonly title: string;
  readonly proto: Transport;
  readonly port: number;
  /** What comes over the other ports. */
  readonly what: string;
  /** The kernel's connection-tracking helper; null where there is none. */
  readonly helper: NonNullable<Mapping['helper']> | null;
}

/** Protocols that agree on more ports in their own words, which a plain mapping cannot know. */
const protocols: readonly SecondPorts[] = [
  { title: 'FTP', proto: 'tcp', port: 21, what: 'file contents', helper: 'ftp' },
  { title: 'TFTP', proto: 'udp', port: 69, what: 'file contents', helper: 'tftp' },
  { title: 'RTSP', proto: 'tcp', port: 554, what: 'picture and sound', helper: null },
  { title: 'H.323', proto: 'tcp', port: 1720, what: 'picture and sound', helper: 'h323' },
  { title: 'PPTP', proto: 'tcp', port: 1723, what: 'data, in GRE', helper: 'pptp' },
  { title: 'SIP', proto: 'udp', port: 5060, what: 'sound', helper: 'sip' },
  { title: 'SIP', proto: 'tcp', port: 5060, what: 'sound', helper: 'sip' },
  { title: 'IRC', proto: 'tcp', port: 6667, what: 'files of DCC', helper: 'irc' },
];

/** A range wider than this names no service. */
const widestRange = 100;

/** What else a mapping needs when its service opens second ports; null where there is nothing to say. */
export function secondPortsAdvice({ via, proto, listen, target, helper }: Mapping): string | null {
  const span = (listen.last ?? listen.port) - listen.port;
  if (span > widestRange) return null;
  const inner = { first: target.port, last: target.port + span };
  const found = protocols.find(
    (one) => transports(proto).includes(one.proto) && portsOverlap(inner, { first: one.port, last: one.port }),
  );
  if (found === undefined || (helper !== undefined && helper === found.helper)) return null;
  const needs = `${found.title} sends its ${found.what} over second ports, which this mapping does not know`;
  if (found.helper === null) return `${needs}: map those as well`;
  return via === 'nftables'
    ? `${needs}: --helper ${found.helper} has the kernel follow them`
    : `${needs}: map those as well, or use --via nftables --helper ${found.helper}`;
}
