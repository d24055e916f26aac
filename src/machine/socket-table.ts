import { readFile } from 'node:fs/promises';
import os from 'node:os';
import ipaddr from 'ipaddr.js';
import type { Transport } from '../model/ports.ts';

export interface SocketEnd {
  /** In one spelling: IPv4-mapped IPv6 addresses are written as IPv4. */
  readonly address: string;
  readonly port: number;
}

/** One line of /proc/net/{tcp,tcp6,udp,udp6}, see proc(5). */
export interface SocketEntry {
  readonly proto: Transport;
  readonly family: 4 | 6;
  readonly local: SocketEnd;
  readonly remote: SocketEnd;
  /** The kernel's TCP state number, which UDP borrows: 1 connected, 6 time-wait, 7 unconnected, 10 listening. */
  readonly state: number;
  readonly uid: number;
  /** 0 for a socket no process holds any more. */
  readonly inode: number;
}

export const connectedState = 1;
export const unconnectedState = 7;
export const listeningState = 10;

/**
 * Decodes an address as the kernel prints it: 32-bit words in hexadecimal, each in the machine's byte order.
 * @returns null when `hex` has neither 8 nor 32 digits
 */
export function decodeAddress(hex: string, littleEndian = os.endianness() === 'LE'): string | null {
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return null;
  const bytes = Buffer.from(hex, 'hex');
  if (littleEndian) bytes.swap32();
  return bytes.length === 4 ? bytes.join('.') : ipaddr.process(ipaddr.fromByteArray([...bytes]).toString()).toString();
}

function decodeEnd(text: string, littleEndian?: boolean): SocketEnd | null {
  const [hex = '', port = ''] = text.split(':');
  const address = decodeAddress(hex, littleEndian);
  return address === null || !/^[0-9A-F]{4}$/i.test(port) ? null : { address, port: Number.parseInt(port, 16) };
}

/** A line's ends and state as printed, in hexadecimal; null for a line that is none. */
function rawLine(line: string, digits: number): { local: string; remote: string; state: string } | null {
  // `   0: 0100007F:0016 00000000:0000 0A …`: after the slot number every column has its width.
  const at = line.indexOf(': ') + 2;
  const width = digits + 5;
  if (at < 3 || line[at + digits] !== ':' || line[at + width + 1 + digits] !== ':') return null;
  return {
    local: line.slice(at, at + width),
    remote: line.slice(at + width + 1, at + 2 * width + 1),
    state: line.slice(at + 2 * width + 2, at + 2 * width + 4),
  };
}

/**
 * Parses one of the kernel's socket tables; lines that make no sense are left out.
 * @param wanted looks at a line's hexadecimal columns before they are decoded: a table may be long
 */
export function parseSocketTable(
  text: string,
  proto: Transport,
  family: 4 | 6,
  {
    wanted,
    littleEndian,
  }: { wanted?: (local: string, remote: string, state: string) => boolean; littleEndian?: boolean } = {},
): SocketEntry[] {
  const entries: SocketEntry[] = [];
  for (const line of text.split('\n')) {
    const raw = rawLine(line, family === 4 ? 8 : 32);
    if (raw === null || (wanted !== undefined && !wanted(raw.local, raw.remote, raw.state))) continue;
    const local = decodeEnd(raw.local, littleEndian);
    const remote = decodeEnd(raw.remote, littleEndian);
    const columns = line.trim().split(/\s+/, 10);
    const [state, uid, inode] = [Number.parseInt(raw.state, 16), Number(columns[7]), Number(columns[9])];
    if (local === null || remote === null || !Number.isInteger(state + uid + inode)) continue;
    entries.push({ proto, family, local, remote, state, uid, inode });
  }
  return entries;
}

/** The kernel's socket tables of these transports, both families; a table that is not there is empty. */
export async function socketTable(
  protos: readonly Transport[],
  wanted?: (local: string, remote: string, state: string) => boolean,
): Promise<SocketEntry[]> {
  const tables = protos.flatMap((proto) => [
    { proto, family: 4 as const, file: `/proc/net/${proto}` },
    { proto, family: 6 as const, file: `/proc/net/${proto}6` },
  ]);
  const parsed = await Promise.all(
    tables.map(async ({ proto, family, file }) => {
      const text = await readFile(file, 'latin1').catch(() => '');
      return parseSocketTable(text, proto, family, wanted === undefined ? {} : { wanted });
    }),
  );
  return parsed.flat();
}
