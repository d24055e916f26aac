import { auditRows } from '../../machine/audit.ts';
import { machineEvidence } from '../../machine/audit-evidence.ts';
import { devices } from '../../machine/devices.ts';
import { processes } from '../../machine/processes.ts';
import { scan } from '../../machine/scan.ts';
import { toFailure } from '../../model/errors.ts';
import { parseSshCommand } from '../../ssh/import-command.ts';
import type { Engine } from '../engine.ts';
import type { Handlers } from '../server.ts';
import { viewNamed } from './forwards.ts';

/** This process and what it started: nothing of it is unmanaged. */
async function ourPids(): Promise<Set<number>> {
  const ours = new Set([process.pid]);
  // Parents come before their children, for pids are handed out in turn, but they wrap: so until nothing is added.
  const all = await processes();
  for (let size = 0; size !== ours.size; ) {
    size = ours.size;
    for (const { pid, ppid } of all) if (ours.has(ppid)) ours.add(pid);
  }
  return ours;
}

export function reportHandlers(
  engine: Engine,
): Pick<Handlers, 'devices' | 'router' | 'routerDelete' | 'audit' | 'scan'> {
  return {
    devices: () => devices(),
    router: () => engine.router.report(),
    routerDelete: async ({ proto, external }) => {
      await engine.router.deleteMapping(proto, external);
      return null;
    },
    audit: async () => {
      const { forwards } = engine.desired.config();
      const asksRouter = forwards.some((forward) => 'via' in forward && forward.via === 'router');
      const [machine, ours, filter, router] = await Promise.all([
        machineEvidence(),
        ourPids(),
        engine.nftables.inputFirewall().then(
          (firewall) => ({ firewall, unread: null }),
          (error: unknown) => ({ unread: toFailure(error) }),
        ),
        // The router is asked only where it is used: without one the answer takes seconds.
        asksRouter ? engine.router.report().catch(() => null) : null,
      ]);
      const rows = auditRows({
        ...machine,
        ...('firewall' in filter ? { firewall: filter.firewall } : {}),
        forwards: forwards.map((config) => ({ view: viewNamed(engine, config.name), config })),
        kernelMappings: engine.mappings
          .kernelRules()
          .filter(({ owner }) => viewNamed(engine, owner).state !== 'failed'),
        routerMappings: router?.mappings ?? [],
        externalAddress: router?.externalAddress ?? null,
        ourPids: ours,
      });
      return { rows, unreadFirewall: filter.unread };
    },
    scan: async () => scan(parseSshCommand, await ourPids()),
  };
}
