import type { ForwardSchema } from '../../model/config.ts';
import { SallyportError } from '../../model/errors.ts';
import { findPreset, presetMappings } from '../../model/presets.ts';
import { findTriggerPreset } from '../../model/trigger-presets.ts';
import { commonFields, withoutNulls } from '../flags/common.ts';
import type { Place } from '../paths.ts';
import type { NewForwards } from './add.ts';
import { externalFields, type MapFlags, mappingFields, newForwards, parseInternal } from './map.ts';
import { type TriggerFlags, triggerFields } from './trigger.ts';

/** `map NAME --preset PRESET HOST`: a mapping for each of the service's ranges; other flags go on top. */
export function readPresetMap(
  words: { name: string; host: string; extra: string | undefined },
  preset: string,
  flags: MapFlags,
  place: Place,
  schema: ForwardSchema,
): NewForwards {
  const { name, host, extra } = words;
  if (extra !== undefined) {
    throw new SallyportError(
      'usage',
      'map: with --preset only the host inside is named',
      `sallyport map ${name} --preset ${preset} ${extra}`,
    );
  }
  const common = withoutNulls(commonFields(flags, place));
  const forwards = presetMappings(findPreset(preset), name, host).map((mapping) => {
    const { port, last } = mapping.listen;
    const range = { first: port, last: last ?? port };
    return {
      ...mapping,
      ...common,
      ...mappingFields(flags),
      listen: externalFields(range, flags.bind),
      target: parseInternal(host, range),
    };
  });
  return newForwards(forwards, flags, schema);
}

/** `trigger NAME --preset PRESET`: the preset's ports and idle time; other flags go on top. */
export function readPresetTrigger(
  name: string,
  preset: string,
  flags: TriggerFlags,
  place: Place,
  schema: ForwardSchema,
): NewForwards {
  const { on, open, idle } = findTriggerPreset(preset);
  const own = withoutNulls({ ...commonFields(flags, place), ...triggerFields(flags) });
  return newForwards([{ name, kind: 'trigger', on: on.length === 1 ? on[0] : on, open, idle, ...own }], flags, schema);
}
