// Kernel mappings carry their traffic past the engine, so that a target which has gone shows nowhere but in a try from here.
import { probeTarget } from '../dataplane/forwards/target-probe.ts';
import { Prober } from '../dataplane/probe.ts';
import type { Mapping, Settings } from '../model/config.ts';
import type { ForwardEntry, Snapshot } from '../model/snapshot.ts';
import type { ProbeStatus } from '../model/state.ts';
import { probeEveryMs } from './probe-interval.ts';

export interface KernelProbesOptions {
  readonly settings: () => Settings;
  /** A mapping and the address of its host; null while that is not known. */
  readonly target: (name: string) => { readonly mapping: Mapping; readonly address: string } | null;
  readonly onProbe: (name: string, status: ProbeStatus) => void;
}

/** What of a mapping decides where a try goes. */
const triedPart = ({ proto, listen, target }: Mapping): string => JSON.stringify([proto, listen, target]);

export function createKernelProbes(options: KernelProbesOptions) {
  const probers = new Map<string, { readonly everyMs: number; readonly tried: string; readonly prober: Prober }>();

  const end = (name: string): void => {
    probers.get(name)?.prober.stop();
    probers.delete(name);
  };

  const follow = (name: string, entry: ForwardEntry | undefined): void => {
    const config = entry?.config;
    const mapping = config?.kind === 'mapping' && config.via === 'nftables' ? config : null;
    const everyMs =
      mapping !== null && entry?.listener.is === 'open' ? probeEveryMs(mapping, options.settings()) : null;
    const tried = mapping === null ? '' : triedPart(mapping);
    const before = probers.get(name);
    if ((before?.everyMs ?? null) === everyMs && (before?.tried ?? tried) === tried) return;
    end(name);
    // The kernel goes on with another target as if nothing had been; what was found out is of the one before.
    if (before !== undefined && before.tried !== tried) options.onProbe(name, null);
    if (everyMs === null) return;
    const probe = (signal: AbortSignal): Promise<void> | null => {
      const target = options.target(name);
      return target === null ? null : probeTarget(target.mapping, target.address, signal);
    };
    const prober = new Prober({ probe }, everyMs, null, (status) => options.onProbe(name, status));
    probers.set(name, { everyMs, tried, prober });
    prober.start();
  };

  return {
    /** To be told of each change of the forwards. */
    update(before: Snapshot['forwards'], after: Snapshot['forwards']): void {
      if (after === before) return;
      for (const [name, entry] of Object.entries(after)) if (entry !== before[name]) follow(name, entry);
      for (const name of [...probers.keys()]) if (!Object.hasOwn(after, name)) end(name);
    },

    stop(): void {
      for (const name of [...probers.keys()]) end(name);
    },
  };
}
