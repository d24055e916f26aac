// The kernel's connection table as conntrack(8) lists it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { normalAddress } from '../../model/cidr.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import type { RawFlow } from '../../model/flow.ts';
import type { Transport } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';
import type { Kernel } from './command.ts';
import { type Family, familyOf } from './values.ts';

export interface Tuple {
  readonly src: string;
  readonly dst: string;
  readonly sport: number;
  readonly dport: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface Connection {
  readonly id: string;
  readonly family: Family;
  readonly proto: Transport;
  /** TCP state, such as `ESTABLISHED`; null for UDP. */
  readonly state: string | null;
  readonly original: Tuple;
  readonly reply: Tuple;
}

/** Parses one line of `conntrack -L -o extended,id`; null for what is neither TCP nor UDP. */
export function parseConnection(line: string): Connection | null {
  const head = /^(ipv[46])\s+\d+\s+(tcp|udp)\s+\d+\s+(?:\d+\s+)?([A-Z_0-9]+\s)?/.exec(line);
  const id = /\bid=(\d+)/.exec(line)?.[1];
  if (head === null || id === undefined) return null;
  const [original, reply] = [...line.matchAll(tuplePattern)].map((match): Tuple => {
    const [, src = '', dst = '', sport, dport, packets = 0, bytes = 0] = match;
    return {
      src: normalAddress(src) ?? src,
      dst: normalAddress(dst) ?? dst,
      sport: Number(sport),
      dport: Number(dport),
      packets: Number(packets),
      bytes: Number(bytes),
    };
  });
  if (original === undefined || reply === undefined) return null;
  const proto = head[2] as Transport;
  const state = proto === 'tcp' ? (head[3]?.trim() ?? null) : null;
  return { id, family: head[1] as Family, proto, state, original, reply };
}

const tuplePattern = /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: packets=(\d+) bytes=(\d+))?/g;

/** All TCP and UDP connections the kernel knows. */
export async function listConnections(kernel: Kernel, proto?: Transport): Promise<Connection[]> {
  const which = proto === undefined ? [] : ['-p', proto];
  const lists = await Promise.all(
    ['ipv4', 'ipv6'].map((family) => kernel.conntrack(['-L', '-f', family, '-o', 'extended,id', ...which])),
  );
  return lists.flatMap((text) =>
    text
      .split('\n')
      .map(parseConnection)
      .filter((connection) => connection !== null),
  );
}

/** Takes connections out of the table, by their tuples; what is gone already is no error. */
export async function dropConnections(kernel: Kernel, connections: readonly Connection[]): Promise<void> {
  const commands = connections.map(({ family, proto, original: { src, dst, sport, dport } }) => {
    return ['-D', '-f', family, '-p', proto, '-s', src, '-d', dst, '--sport', String(sport), '--dport', String(dport)];
  });
  if (commands.length <= 4) {
    for (const command of commands) await kernel.conntrack(command);
    return;
  }
  // many at once from a file: conntrack cannot open the socket Node gives a child as its standard input
  const dir = await mkdtemp(path.join(os.tmpdir(), 'sallyport-'));
  try {
    const file = path.join(dir, 'conntrack');
    await writeFile(file, commands.map((command) => `${command.join(' ')}\n`).join(''), { mode: 0o600 });
    await kernel.conntrack(['-R', file]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export function isTranslated({ original, reply }: Connection): boolean {
  return reply.src !== original.dst || reply.sport !== original.dport;
}

/** The external side of a mapping, or of an opened port. */
export type ExternalSide = Pick<GatewayRule, 'owner' | 'proto' | 'external' | 'internal'>;

/** Finds the owner of a connection in constant time, however many mappings there are. */
export function connectionOwners(rules: readonly ExternalSide[]): (connection: Connection) => ExternalSide | null {
  const single = new Map<string, ExternalSide[]>();
  const ranges: ExternalSide[] = [];
  for (const rule of rules) {
    if (rule.external.first !== rule.external.last) {
      ranges.push(rule);
      continue;
    }
    const key = `${rule.proto}/${rule.external.first}`;
    const list = single.get(key);
    if (list === undefined) single.set(key, [rule]);
    else list.push(rule);
  }
  return (connection) => {
    const { proto, original } = connection;
    const fits = ({ external, internal, proto: its }: ExternalSide) =>
      its === proto &&
      original.dport >= external.first &&
      original.dport <= external.last &&
      (external.address === null
        ? familyOf(internal.address) === connection.family
        : external.address === original.dst) &&
      (external.address === internal.address || isTranslated(connection));
    return single.get(`${proto}/${original.dport}`)?.find(fits) ?? ranges.find(fits) ?? null;
  };
}

/**
 * Bytes of payload in what the kernel counted with its IP and transport headers: a TCP header with timestamps,
 * which all systems of this century send, and 8 bytes more of options in the first packet each way. Merged packets
 * count once, as they carry one header.
 */
export function payloadBytes(
  family: Family,
  proto: Transport,
  { packets, bytes }: { readonly packets: number; readonly bytes: number },
  connections: number,
): number {
  const header = (family === 'ipv4' ? 20 : 40) + (proto === 'tcp' ? 32 : 8);
  return Math.max(0, bytes - packets * header - (proto === 'tcp' ? connections * 8 : 0));
}

export const flowId = (connection: Connection): string => `nf-${connection.id}`;

/** A connection as a flow of `owner`. */
export function toFlow(connection: Connection, owner: string, since: string): RawFlow {
  const { family, proto, original, reply } = connection;
  return {
    id: flowId(connection),
    forward: owner,
    peer: formatEndpoint({ host: original.src, port: original.sport }),
    target: formatEndpoint({ host: reply.src, port: reply.sport }),
    rx: payloadBytes(family, proto, reply, 1),
    tx: payloadBytes(family, proto, original, 1),
    since,
    proto,
    local: formatEndpoint({ host: original.dst, port: original.dport }),
  };
}

/** A connection that is over, though the kernel remembers it for a while. */
export const isOver = ({ state }: Connection): boolean => state === 'TIME_WAIT' || state === 'CLOSE';
