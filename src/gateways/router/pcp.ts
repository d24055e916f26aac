// Port Control Protocol, version 2 (RFC 6887): MAP and ANNOUNCE, and the PREFER_FAILURE option. Bytes only, no sockets.
import type { Transport } from '../../model/ports.ts';
import { addressBytes, addressText } from './address.ts';

/** UDP port of PCP and NAT-PMP servers. */
export const serverPort = 5351;
/** UDP port at 224.0.0.1 on which both kinds of server announce a restart (RFC 6887 section 14.1.1). */
export const announcePort = 5350;

const version = 2;
const headerBytes = 24;
const mapBytes = 36;
/** No PCP message is longer (RFC 6887 section 7). */
const maxBytes = 1100;

const opcodes = { announce: 0, map: 1 } as const;
const preferFailure = 2;
const protocolNumbers = { tcp: 6, udp: 17 } as const;

/** Result codes by number (RFC 6887 section 7.4). */
const pcpResults = [
  'SUCCESS',
  'UNSUPP_VERSION',
  'NOT_AUTHORIZED',
  'MALFORMED_REQUEST',
  'UNSUPP_OPCODE',
  'UNSUPP_OPTION',
  'MALFORMED_OPTION',
  'NETWORK_FAILURE',
  'NO_RESOURCES',
  'UNSUPP_PROTOCOL',
  'USER_EX_QUOTA',
  'CANNOT_PROVIDE_EXTERNAL',
  'ADDRESS_MISMATCH',
  'EXCESSIVE_REMOTE_PEERS',
] as const;

export type PcpResult = (typeof pcpResults)[number] | 'UNKNOWN';

export interface PcpMap {
  /** 12 bytes; the same ones renew and delete a mapping. */
  readonly nonce: Uint8Array;
  readonly proto: Transport;
  readonly internalPort: number;
  /** The one to have; 0 where it does not matter (in a deletion). */
  readonly externalPort: number;
  /** Seconds; 0 deletes. */
  readonly lifetimeSeconds: number;
  /** Source address of the datagram; the server compares (RFC 6887 section 8.1). */
  readonly client: string;
  readonly preferFailure: boolean;
}

export interface PcpResponse {
  readonly opcode: 'announce' | 'map' | 'other';
  readonly result: PcpResult;
  /** Of the mapping, or for how long an error will last. */
  readonly lifetimeSeconds: number;
  readonly epochSeconds: number;
  /** What was granted; null unless this is a whole MAP response. */
  readonly map: {
    readonly nonce: Uint8Array;
    readonly proto: Transport | null;
    readonly internalPort: number;
    readonly externalPort: number;
    readonly externalAddress: string;
  } | null;
}

function header(opcode: number, lifetimeSeconds: number, client: string): Buffer {
  const head = Buffer.alloc(headerBytes);
  head[0] = version;
  head[1] = opcode;
  head.writeUInt32BE(lifetimeSeconds, 4);
  addressBytes(client).copy(head, 8);
  return head;
}

/** Asks for nothing; the answer tells that there is a server, and its epoch (RFC 6887 section 14.1.2). */
export function encodeAnnounce(client: string): Buffer {
  return header(opcodes.announce, 0, client);
}

/** RFC 6887 section 11.1. */
export function encodeMap(map: PcpMap): Buffer {
  const body = Buffer.alloc(mapBytes);
  Buffer.from(map.nonce).copy(body, 0, 0, 12);
  body[12] = protocolNumbers[map.proto];
  body.writeUInt16BE(map.internalPort, 16);
  body.writeUInt16BE(map.externalPort, 18);
  // Any external address will do: all zeros of the client's own family.
  addressBytes(map.client.includes(':') ? '::' : '0.0.0.0').copy(body, 20);
  const options = map.preferFailure ? Buffer.from([preferFailure, 0, 0, 0]) : Buffer.alloc(0);
  return Buffer.concat([header(opcodes.map, map.lifetimeSeconds, map.client), body, options]);
}

/**
 * Reads a response; options in it are passed over, for none is asked that answers.
 * @returns null for anything that is not a well-formed version 2 response
 */
export function decodePcp(bytes: Uint8Array): PcpResponse | null {
  if (bytes.length < headerBytes || bytes.length > maxBytes || bytes.length % 4 !== 0) return null;
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const code = message.readUInt8(1);
  if (message.readUInt8(0) !== version || (code & 0x80) === 0) return null;
  const opcode = (code & 0x7f) === opcodes.map ? 'map' : (code & 0x7f) === opcodes.announce ? 'announce' : 'other';
  const result = pcpResults[message.readUInt8(3)] ?? 'UNKNOWN';
  const whole = message.length >= headerBytes + mapBytes;
  if (opcode === 'map' && result === 'SUCCESS' && !whole) return null;
  const number = whole ? message.readUInt8(36) : 0;
  return {
    opcode,
    result,
    lifetimeSeconds: message.readUInt32BE(4),
    epochSeconds: message.readUInt32BE(8),
    map:
      opcode === 'map' && whole
        ? {
            nonce: Uint8Array.from(message.subarray(24, 36)),
            proto: number === protocolNumbers.tcp ? 'tcp' : number === protocolNumbers.udp ? 'udp' : null,
            internalPort: message.readUInt16BE(40),
            externalPort: message.readUInt16BE(42),
            externalAddress: addressText(message.subarray(44, 60)),
          }
        : null,
  };
}

/** Whether a response answers this very request, and not an older one or another client's. */
export function answersMap(response: PcpResponse, map: PcpMap): boolean {
  const { map: got } = response;
  if (response.opcode !== 'map') return false;
  // A server that could not read the request may send back the header alone.
  if (got === null) return response.result !== 'SUCCESS';
  return Buffer.compare(got.nonce, map.nonce) === 0 && got.proto === map.proto && got.internalPort === map.internalPort;
}
