// What kind of forward one is; apart from the schema, so that a screen that only looks need not load it.
import type { Forward, PortSet, SshForward, Trigger } from './config.ts';

export function isSshForward(forward: Forward): forward is SshForward {
  return forward.kind === 'local' || forward.kind === 'remote' || forward.kind === 'dynamic';
}

/** The trigger's outbound ranges as a list, whichever way the file spells them. */
export function triggerSets(on: Trigger['on']): readonly PortSet[] {
  return Array.isArray(on) ? on : [on];
}
