import type { Command } from 'commander';
import { normalAddress } from '../../model/cidr.ts';
import type { ForwardSchema, Mapping } from '../../model/config.ts';
import { SallyportError } from '../../model/errors.ts';
import { type PortRange, parsePortRange, portCount } from '../../model/ports.ts';
import { checked } from '../checked.ts';
import { type CommonFlags, commonFields, declareCommon, waitMs, withoutNulls } from '../flags/common.ts';
import type { Place } from '../paths.ts';
import { type NewForwards, readProbe } from './add.ts';

/** The flags only a mapping has, as typed. */
export interface MapFlags extends CommonFlags {
  proto?: string;
  via?: string;
  bind?: string;
  force?: boolean;
  preset?: string;
  proxyProtocol?: boolean;
  masquerade?: boolean;
  helper?: string;
  probe?: string;
}

export function declareMap(command: Command): Command {
  command
    .argument('<name>', 'name of the mapping')
    .argument('<external>', 'port or FIRST-LAST; with --preset: the host inside')
    .argument('[internal]', 'HOST[:PORT[-LAST]]: address ([v6] in brackets), name or MAC address (aa-bb-cc-dd-ee-ff)')
    .option('--proto <proto>', 'tcp, udp or both (default: tcp)')
    .option('--via <gateway>', 'relay, nftables or router (default: relay)')
    .option('--bind <address>', 'address to take connections on (relay: 127.0.0.1; nftables: all of this machine)')
    .option('--force', 'nftables: even over a port this machine listens on')
    .option('--preset <preset>', "a known service's ports; sallyport presets lists them")
    .option('--probe <duration>', 'how often its TCP target is tried; off: never');
  declareMappingExtras(command);
  return declareCommon(command);
}

export function declareMappingExtras(command: Command): Command {
  return command
    .option('--proxy-protocol', 'relay: tell the target who connects (PROXY protocol v2)')
    .option('--masquerade', "nftables: replace the source address by the gateway's")
    .option('--helper <protocol>', 'nftables: kernel helper for ftp, sip, h323, tftp, pptp or irc');
}

export function mappingFields(flags: MapFlags): Partial<Record<keyof Mapping, unknown>> {
  const { proto, via, force, proxyProtocol, masquerade, helper, probe } = flags;
  return {
    ...(proto !== undefined && { proto }),
    ...(via !== undefined && { via }),
    ...(force && { force }),
    ...(proxyProtocol && { proxyProtocol }),
    ...(masquerade && { masquerade }),
    ...(helper !== undefined && { helper }),
    ...(probe !== undefined && { probe: readProbe(probe) }),
  };
}

/** The external side: a port or a range, and the address it is on. */
export function externalFields(external: PortRange, bind: string | undefined): Mapping['listen'] {
  return {
    ...(bind !== undefined && { address: bind.replace(/^\[(.*)\]$/, '$1') }),
    port: external.first,
    ...(external.last !== external.first && { last: external.last }),
  };
}

const internalForm = 'write it as HOST, HOST:PORT or HOST:FIRST-LAST, an IPv6 address in brackets';

/**
 * The internal side. Without a port the external ones are meant; one port for a range is the range's first.
 * @throws SallyportError `bad_value`
 */
export function parseInternal(text: string, external: PortRange): Mapping['target'] {
  const bad = (why: string) => new SallyportError('bad_value', `"${text}": ${why}`, internalForm);
  const found =
    /^\[([^\]]+)\](?::(.+))?$/.exec(text) ??
    /^((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?::(.+))?$/i.exec(text) ??
    (normalAddress(text)?.includes(':') ? [text, text] : /^([^:]+)(?::(.+))?$/.exec(text));
  const [, host, ports] = found ?? [];
  if (host === undefined) throw bad('not a host and port');
  if (text.startsWith('[') && normalAddress(host)?.includes(':') !== true)
    throw bad('what is in brackets is not an IPv6 address');
  if (/^[\d.]+$/.test(host) && normalAddress(host) === null) throw bad(`${host} is not an address`);
  const mac = /^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(host);
  if (!mac && normalAddress(host) === null && !/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$/.test(host))
    throw bad(`${host} is not a host`);
  const name = mac ? host.toLowerCase().replaceAll(':', '-') : host;
  if (ports === undefined) return { host: name, port: external.first };
  const range = parsePortRange(ports);
  if (range.last !== range.first && portCount(range) !== portCount(external)) {
    throw bad(`${portCount(range)} internal ports for ${portCount(external)} external ones`);
  }
  if (range.first + portCount(external) - 1 > 65_535) throw bad('the range ends beyond port 65535');
  return { host: name, port: range.first };
}

export function readMap(
  words: { name: string; external: string; internal: string | undefined },
  flags: MapFlags,
  place: Place,
  schema: ForwardSchema,
): NewForwards {
  const { name, external, internal } = words;
  if (internal === undefined)
    throw new SallyportError('usage', 'map: the internal host is missing', 'sallyport map web 8080 192.168.1.20:80');
  const range = parsePortRange(external);
  const forward = {
    name,
    kind: 'mapping',
    ...withoutNulls(commonFields(flags, place)),
    ...mappingFields(flags),
    listen: externalFields(range, flags.bind),
    target: parseInternal(internal, range),
  };
  return newForwards([forward], flags, schema);
}

/** Checked against the schema, with what the flags say about starting them. */
export function newForwards(forwards: readonly unknown[], flags: CommonFlags, schema: ForwardSchema): NewForwards {
  return {
    forwards: forwards.map((forward) => checked(schema, forward, 'see --help for the forms')),
    up: flags.up === true,
    waitMs: waitMs(flags.wait, 15),
    json: flags.json === true,
  };
}
