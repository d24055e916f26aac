import { SallyportError } from '../../model/errors.ts';
import { nodeCode } from '../sockets/errors.ts';

/** Reply codes of RFC 1928 section 6. */
export const reply5 = {
  granted: 0,
  failure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  ttlExpired: 6,
  commandUnsupported: 7,
  addressUnsupported: 8,
} as const;

export type Reply5 = (typeof reply5)[keyof typeof reply5];

/** A whole SOCKS 5 reply. The bound address is 0.0.0.0:0: the far end does not tell which one it used. */
export function socks5Reply(code: Reply5): Buffer {
  return Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
}

/** A whole SOCKS 4 reply: 90 granted, 91 rejected or failed. */
export function socks4Reply(granted: boolean): Buffer {
  return Buffer.from([0, granted ? 90 : 91, 0, 0, 0, 0, 0, 0]);
}

/** The code that tells a client why its target can't be had. A time-out has none of its own; TTL expired is the nearest. */
export function replyFor(error: unknown): Reply5 {
  if (!(error instanceof SallyportError)) return reply5.failure;
  switch (error.code) {
    case 'target_refused':
      return reply5.refused;
    case 'target_unreachable':
      return nodeCode(error.cause) === 'ENETUNREACH' ? reply5.networkUnreachable : reply5.hostUnreachable;
    case 'target_timeout':
      return reply5.ttlExpired;
    case 'target_prohibited':
    case 'unsupported':
      return reply5.notAllowed;
    default:
      return reply5.failure;
  }
}
