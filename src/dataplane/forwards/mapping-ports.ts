import type { Mapping } from '../../model/config.ts';
import { hostPort } from '../sockets/address.ts';

/** What a mapping without an address listens on: this machine alone. */
export const relayAddress = '127.0.0.1';

/** The ports of a mapping, external and how far the internal ones are shifted. */
export interface MappingPorts {
  readonly first: number;
  readonly last: number;
  readonly shift: number;
}

export function mappingPorts({ listen, target }: Mapping): MappingPorts {
  return { first: listen.port, last: listen.last ?? listen.port, shift: target.port - listen.port };
}

/** As shown, without the protocol: `127.0.0.1:80`, `0.0.0.0:6000-6003`, `[::1]:80`. */
export function shownPorts(address: string, { first, last }: MappingPorts): string {
  return hostPort(address, first === last ? first : `${first}-${last}`);
}
