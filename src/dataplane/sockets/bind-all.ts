import type { Transport } from '../../model/ports.ts';
import type { BindAddress } from './bind.ts';
import { bindAddresses, lacksFamily } from './bind.ts';
import type { PortHolder } from './errors.ts';
import { listenError, nodeCode } from './errors.ts';

/** How often a free port is drawn until every address has it free. */
const freePortTries = 20;

interface Bound {
  readonly port: number;
  close(): void;
}

/** Opens one socket. */
export type BindOne<T extends Bound> = (address: BindAddress, host: string, port: number) => Promise<T>;

export interface BoundAll<T> {
  readonly sockets: readonly T[];
  readonly port: number;
  /** The address as shown to people. */
  readonly shown: string;
}

/**
 * Binds every address that `address` stands for to one port; all of them or none.
 * @param port 0: a free one, the same on each address
 * @throws SallyportError `port_taken`, `port_denied`, `address_unavailable`, `fd_limit`, `listen_failed`
 */
export async function bindAll<T extends Bound>(
  proto: Transport,
  address: string | undefined,
  port: number,
  bindOne: BindOne<T>,
  holder: PortHolder,
): Promise<BoundAll<T>> {
  let addresses: readonly BindAddress[];
  try {
    addresses = await bindAddresses(address);
  } catch (error) {
    throw await listenError(error, { proto, address: address ?? 'localhost', port }, holder);
  }
  for (let attempt = 1; ; attempt++) {
    const sockets: T[] = [];
    let at = { host: '', port };
    try {
      for (const entry of addresses) {
        at = { host: entry.shown, port: sockets[0]?.port ?? port };
        const socket = await bindEither(entry, at.port, bindOne);
        if (socket !== null) sockets.push(socket);
      }
      return { sockets, port: sockets[0]?.port ?? port, shown: addresses[0]?.shown ?? '' };
    } catch (error) {
      for (const socket of sockets) socket.close();
      if (port === 0 && nodeCode(error) === 'EADDRINUSE' && attempt < freePortTries) continue;
      throw await listenError(error, { proto, address: at.host, port: at.port }, holder);
    }
  }
}

async function bindEither<T extends Bound>(entry: BindAddress, port: number, bindOne: BindOne<T>): Promise<T | null> {
  try {
    return await bindOne(entry, entry.host, port);
  } catch (error) {
    if (!lacksFamily(error)) throw error;
    if (entry.instead !== null) return bindOne(entry, entry.instead, port);
    if (entry.optional) return null;
    throw error;
  }
}
