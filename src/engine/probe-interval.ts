import type { Forward, Settings } from '../model/config.ts';
import { parseDuration } from '../model/duration.ts';

/** How often a way is tried, in ms; null: never. */
export function probeEveryMs(forward: Forward, settings: Pick<Settings, 'probe'>): number | null {
  const wanted = ('probe' in forward ? forward.probe : undefined) ?? settings.probe;
  return wanted === false ? null : parseDuration(wanted);
}
