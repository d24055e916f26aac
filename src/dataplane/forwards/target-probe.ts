import type { Mapping } from '../../model/config.ts';
import { SallyportError } from '../../model/errors.ts';
import { dialDirect } from '../carriers/direct.ts';

/**
 * Tries a mapping's target from here. Datagrams need not be answered, so only TCP is tried, on the first port. Of a range
 * no single port need be in use, the passive ports of an FTP server say: there, a host that refuses has answered.
 * @param host the target's present address, or its name
 * @returns null where there is nothing to try
 * @throws SallyportError as `dialDirect`
 */
export function probeTarget(
  { proto, listen, target }: Pick<Mapping, 'proto' | 'listen' | 'target'>,
  host: string | Promise<string>,
  signal: AbortSignal,
): Promise<void> | null {
  if (proto === 'udp') return null;
  const isRange = listen.last !== undefined && listen.last > listen.port;
  const dial = async (): Promise<void> => {
    try {
      (await dialDirect({ host: await host, port: target.port }, signal)).destroy();
    } catch (error) {
      if (isRange && error instanceof SallyportError && error.code === 'target_refused') return;
      throw error;
    }
  };
  return dial();
}
