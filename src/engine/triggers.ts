// Triggers: those whose calls are the engine's own flows, and the kernel's, which run in the packet path and are only handed
// over here.
import type { KernelTrigger } from '../gateways/nftables/kernel-triggers.ts';
import { sourceFilter } from '../model/cidr.ts';
import type { Config, Trigger } from '../model/config.ts';
import { parseDuration } from '../model/duration.ts';
import type { TriggerTrial } from '../model/reports.ts';
import type { Opening } from '../model/snapshot.ts';
import { trialOf } from '../triggers/claims.ts';
import { createFlowTriggers, type FlowTriggersOptions } from './triggers/flow-triggers.ts';
import { kernelTrigger, rulePart, usesKernel } from './triggers/rules.ts';

export interface TriggersOptions extends FlowTriggersOptions {
  readonly setKernelTriggers: (triggers: readonly KernelTrigger[]) => void;
  readonly openKernel: (name: string, host: string, forMs: number) => Promise<void>;
  readonly closeKernel: (name: string) => Promise<void>;
  /** Reads now what the kernel has open. */
  readonly lookAtKernel: () => Promise<void>;
  readonly opened: (name: string) => readonly Opening[];
  /** Whether the trigger is in force as last heard. */
  readonly inForce: (name: string) => boolean;
}

export type Triggers = ReturnType<typeof createTriggers>;

export function createTriggers(options: TriggersOptions) {
  const { onStatus } = options;
  const flows = createFlowTriggers(options);
  let kernelTriggers = new Map<string, Trigger>();

  const updateKernel = (wanted: Map<string, Trigger>) => {
    const same = (trigger: Trigger) => {
      const before = kernelTriggers.get(trigger.name);
      return before !== undefined && rulePart(before) === rulePart(trigger);
    };
    const changed = wanted.size !== kernelTriggers.size || ![...wanted.values()].every(same);
    for (const name of kernelTriggers.keys()) {
      if (wanted.has(name) || flows.has(name)) continue;
      onStatus(name, { is: 'closed' });
      options.onOpened(name, []);
    }
    // Whoever asked for one that is not in force waits for the outcome of this try, not of the one before.
    for (const trigger of wanted.values()) {
      if (!same(trigger) && !options.inForce(trigger.name)) onStatus(trigger.name, { is: 'opening' });
    }
    kernelTriggers = wanted;
    if (changed) options.setKernelTriggers([...wanted.values()].map(kernelTrigger));
  };

  return {
    /** Takes the configuration over. */
    update(config: Config): void {
      const enabled = config.forwards.filter(
        (forward): forward is Trigger => forward.kind === 'trigger' && forward.enabled,
      );
      const byName = (triggers: readonly Trigger[]) => new Map(triggers.map((trigger) => [trigger.name, trigger]));
      flows.update(byName(enabled.filter((trigger) => !usesKernel(trigger))));
      updateKernel(byName(enabled.filter(usesKernel)));
    },

    watches: flows.watches,
    onCall: flows.onCall,
    onRun: flows.onRun,
    onGate: flows.onGate,
    onLinkUp: flows.onLinkUp,

    async open(name: string, host: string, forMs: number | undefined): Promise<readonly Opening[]> {
      const kernel = kernelTriggers.get(name);
      if (kernel === undefined) flows.open(name, host, forMs);
      else await options.openKernel(name, host, forMs ?? parseDuration(kernel.idle));
      return options.opened(name);
    },

    async close(name: string): Promise<void> {
      if (kernelTriggers.has(name)) await options.closeKernel(name);
      else flows.close(name);
    },

    async trial(name: string, host: string): Promise<TriggerTrial> {
      const kernel = kernelTriggers.get(name);
      const { from = [], second } = kernel ?? flows.config(name);
      if (!sourceFilter({ allow: from })(host))
        return { would: 'refuse', why: `${host} is outside what --from lets trigger` };
      if (kernel === undefined) return flows.trial(name, host);
      await options.lookAtKernel();
      return trialOf(options.opened(name)[0]?.host ?? null, second, host);
    },

    stop: flows.stop,
  };
}
