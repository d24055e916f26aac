import type { Reach } from './cidr.ts';
import type { Transport } from './ports.ts';

/** The packet filter of a machine, as far as it decides about connections to its own ports. */
export interface InputFirewall {
  /**
   * Who gets through to a port, at most: nobody from outside (`host`), local networks (`lan`), or some networks beyond
   * them (`world`). Null where it lets everybody in, or may.
   * @param address where the port is open; `0.0.0.0` and `::` for every address
   */
  admits(proto: Transport, address: string, port: number): Reach | null;
}
