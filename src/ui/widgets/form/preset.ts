// A preset fills what the person has not typed; one with several ranges makes several mappings.
import type { Forward, PortSet } from '../../../model/config.ts';
import { type Preset, presetMappings, presets } from '../../../model/presets.ts';
import { type TriggerPreset, triggerPresets } from '../../../model/trigger-presets.ts';
import { fieldOf } from '../../text-field.ts';
import type { FieldId } from './fields.ts';
import { type FormState, textIn } from './state.ts';

type Named = { readonly name: string; readonly title: string };

/** The presets the form's kind can have. */
export function presetsFor(form: FormState): readonly Named[] {
  return form.kind === 'mapping' ? presets : form.kind === 'trigger' ? triggerPresets : [];
}

const sets = (list: readonly PortSet[]) => list.map(({ proto, ports }) => `${proto}/${ports}`).join(', ');

const findIn = <T extends Named>(list: readonly T[], form: FormState): T | undefined =>
  list.find(({ name }) => name === textIn(form, 'preset').toLowerCase());

function textsOfMapping(preset: Preset): Partial<Record<FieldId, string>> {
  const [first] = presetMappings(preset, preset.name, 'x');
  if (first === undefined) return {};
  const { port, last } = first.listen;
  return { listen: last === undefined ? String(port) : `${port}-${last}`, proto: first.proto };
}

const textsOfTrigger = ({ on, open, idle }: TriggerPreset): Partial<Record<FieldId, string>> => ({
  on: sets(on),
  open: sets(open),
  idle,
});

/** The form with what its preset says, where nothing else was typed. */
export function applyPreset(form: FormState): FormState {
  const mapping = form.kind === 'mapping' ? findIn(presets, form) : undefined;
  const trigger = form.kind === 'trigger' ? findIn(triggerPresets, form) : undefined;
  const texts = mapping !== undefined ? textsOfMapping(mapping) : trigger !== undefined ? textsOfTrigger(trigger) : {};
  const fields = { ...form.fields };
  for (const [id, text] of Object.entries(texts) as [FieldId, string][]) {
    if (!form.touched.includes(id)) fields[id] = fieldOf(text);
  }
  return { ...form, fields };
}

/** Why the preset typed is none; null when it is one, or nothing is typed. */
export function presetError(form: FormState): string | null {
  const typed = textIn(form, 'preset').toLowerCase();
  if (typed === '' || presetsFor(form).some(({ name }) => name === typed)) return null;
  return `no preset is called ${typed}`;
}

/** All forwards the form makes: one, or the several of its preset while its first range is as the preset has it. */
export function allForwards(form: FormState, forward: Forward): readonly Forward[] {
  const preset = form.kind === 'mapping' ? findIn(presets, form) : undefined;
  if (preset === undefined || forward.kind !== 'mapping' || form.editing !== null) return [forward];
  const mappings = presetMappings(preset, forward.name, forward.target.host);
  const [first] = mappings;
  const asGiven =
    first?.listen.port === forward.listen.port &&
    first.listen.last === forward.listen.last &&
    first.proto === forward.proto;
  if (mappings.length < 2 || !asGiven) return [forward];
  return mappings.map(({ name, proto, listen, target }) => ({
    ...forward,
    name,
    proto,
    listen: { ...forward.listen, port: listen.port, last: listen.last },
    target,
  }));
}
