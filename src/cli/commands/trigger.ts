import type { Command } from 'commander';
import { safeText } from '../../present/sanitize.ts';
import { type Context, withEngine } from '../context.ts';
import { readPresetTrigger } from '../requests/preset.ts';
import { declareTrigger, readTrigger, type TriggerFlags } from '../requests/trigger.ts';
import { placeOf, store } from './add.ts';

const words = {
  open: 'it would open',
  refresh: 'it is open for this host, and would stay open longer',
  refuse: 'it would be refused',
  take_over: 'it would move to this host',
} as const;

export function registerTrigger(program: Command, context: Context): void {
  const command = program
    .command('trigger')
    .summary('make a triggered port')
    .description(
      'Make a trigger: when a host inside calls out on some ports, others open towards that very host, for a while.',
    );
  declareTrigger(command);
  command.action(async (name: string, flags: TriggerFlags) => {
    if (flags.try !== undefined) return tryOut(context, name, flags.try, flags.json === true);
    const place = placeOf(context);
    const { Forward } = await import('../../model/config.ts');
    const request =
      flags.preset === undefined
        ? readTrigger(name, flags, place, Forward)
        : readPresetTrigger(name, flags.preset, flags, place, Forward);
    await store(context, request);
  });
}

async function tryOut(context: Context, name: string, host: string, json: boolean): Promise<void> {
  const trial = await withEngine(context, (client) => client.call('tryTrigger', { name, host }));
  if (json) context.out.json({ would: trial.would, why: trial.why });
  else context.out.print(`${words[trial.would]}: ${safeText(trial.why)}`);
}
