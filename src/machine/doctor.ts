import { type Check, realSurroundings, type Surroundings } from './doctor/check.ts';
import { bridgeNetfilter, conntrack, conntrackAccounting, fileLimit, ipForward, nftables } from './doctor/kernel.ts';
import { nativeCrypto, nodeVersion, sshAgent, sshClient } from './doctor/programs.ts';
import { colours, lingering, locale, runtimeFolder } from './doctor/session.ts';

export type { Check } from './doctor/check.ts';

/**
 * Whether this machine has what sallyport can use. Never throws; a check that cannot tell says so with `ok` null.
 * @param runDir folder of the engine's socket
 */
export function checks(runDir: string, around: Surroundings = realSurroundings()): Promise<Check[]> {
  return Promise.all([
    nodeVersion(),
    nativeCrypto(),
    sshClient(around),
    sshAgent(around),
    nftables(around),
    conntrack(around),
    ipForward(around),
    conntrackAccounting(around),
    bridgeNetfilter(around),
    fileLimit(around),
    runtimeFolder(runDir),
    locale(around),
    colours(around),
    lingering(),
  ]);
}
