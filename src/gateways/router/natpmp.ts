// NAT Port Mapping Protocol (RFC 6886). Bytes only, no sockets.
import type { Transport } from '../../model/ports.ts';
import { addressText } from './address.ts';

const opcodes = { address: 0, udp: 1, tcp: 2 } as const;
const names = ['address', 'udp', 'tcp'] as const;

/** Result codes by number (RFC 6886 section 3.5). */
const natPmpResults = [
  'SUCCESS',
  'UNSUPP_VERSION',
  'NOT_AUTHORIZED',
  'NETWORK_FAILURE',
  'NO_RESOURCES',
  'UNSUPP_OPCODE',
] as const;

export type NatPmpResult = (typeof natPmpResults)[number] | 'UNKNOWN';

export interface NatPmpMap {
  readonly proto: Transport;
  /** Never 0: with lifetime 0 that would delete every mapping of this machine (RFC 6886 section 3.4). */
  readonly internalPort: number;
  readonly externalPort: number;
  /** Seconds; 0 deletes. */
  readonly lifetimeSeconds: number;
}

export interface NatPmpResponse {
  readonly opcode: 'address' | Transport | 'other';
  readonly result: NatPmpResult;
  readonly epochSeconds: number;
  /** Of an address response that succeeded. */
  readonly externalAddress: string | null;
  /** Of a mapping response that succeeded. */
  readonly map: {
    readonly internalPort: number;
    readonly externalPort: number;
    readonly lifetimeSeconds: number;
  } | null;
}

/** RFC 6886 section 3.2. */
export function encodeAddressRequest(): Buffer {
  return Buffer.from([0, opcodes.address]);
}

/** RFC 6886 section 3.3; a deletion (section 3.4) carries external port 0. */
export function encodeNatPmpMap(map: NatPmpMap): Buffer {
  if (map.internalPort === 0) throw new RangeError('internal port 0 would delete the mappings of other programs');
  const request = Buffer.alloc(12);
  request[1] = opcodes[map.proto];
  request.writeUInt16BE(map.internalPort, 4);
  request.writeUInt16BE(map.externalPort, 6);
  request.writeUInt32BE(map.lifetimeSeconds, 8);
  return request;
}

/**
 * Reads a response.
 * @returns null for anything that is not a well-formed version 0 response
 */
export function decodeNatPmp(bytes: Uint8Array): NatPmpResponse | null {
  if (bytes.length < 4 || bytes.length > 1100) return null;
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const code = message.readUInt8(1);
  if (message.readUInt8(0) !== 0 || (code & 0x80) === 0) return null;
  const number = code & 0x7f;
  const opcode = names[number] ?? 'other';
  const result = natPmpResults[message.readUInt16BE(2)] ?? 'UNKNOWN';
  // A response to another version is 8 bytes; some servers send 4 of them.
  const epochSeconds = message.length >= 8 ? message.readUInt32BE(4) : 0;
  const failed: NatPmpResponse = { opcode, result, epochSeconds, externalAddress: null, map: null };
  if (result !== 'SUCCESS' || opcode === 'other') return failed;
  if (opcode === 'address') {
    if (message.length < 12) return null;
    return { ...failed, externalAddress: addressText(message.subarray(8, 12)) };
  }
  if (message.length < 16) return null;
  return {
    ...failed,
    map: {
      internalPort: message.readUInt16BE(8),
      externalPort: message.readUInt16BE(10),
      lifetimeSeconds: message.readUInt32BE(12),
    },
  };
}
