// What an engine makes outside its process, and how it is found again by the next one.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { GatewayReports } from '../gateways/gateway.ts';
import { createNftablesGateway } from '../gateways/nftables/gateway.ts';
import { createRouterGateway } from '../gateways/router/router.ts';
import type { Home } from '../model/home.ts';

/** Tells the kernel tables of engines on one machine apart. */
export const tableInstance = (home: Home): string => createHash('sha256').update(home.dir).digest('hex').slice(0, 12);

export const leaseFile = (home: Home): string => path.join(home.stateDir, 'leases.json');

/**
 * Takes away kernel rules and router leases a killed engine of this home has left. Only while none runs.
 * @throws SallyportError of a gateway that lets nothing be taken away
 */
export async function clearTraces(home: Home, routerAddress: string | null): Promise<void> {
  const reports: GatewayReports = { status: () => {}, note: () => {} };
  const nftables = createNftablesGateway({ instance: tableInstance(home), reports });
  await nftables.clear();
  await nftables.stop();
  const stateFile = leaseFile(home);
  if (!existsSync(stateFile)) return;
  const router = createRouterGateway({ stateFile, reports, gateway: routerAddress });
  try {
    await router.clear();
  } finally {
    await router.stop();
  }
}
