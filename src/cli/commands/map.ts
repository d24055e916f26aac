import type { Command } from 'commander';
import { safeText } from '../../present/sanitize.ts';
import { type Context, withEngine } from '../context.ts';
import type { NewForwards } from '../requests/add.ts';
import { declareMap, type MapFlags, readMap } from '../requests/map.ts';
import { readPresetMap } from '../requests/preset.ts';
import { placeOf, store } from './add.ts';

/** What to know about the new mappings, beyond what has become of them. */
async function warn(context: Context, { forwards }: NewForwards): Promise<void> {
  await withEngine(context, async (client) => {
    const told = new Set<string>();
    for (const forward of forwards) {
      const { warnings } = await client.call('preview', { forward, replacing: forward.name });
      for (const warning of warnings) told.add(warning);
    }
    for (const warning of told) context.out.warn(`sallyport: note: ${safeText(warning)}`);
  });
}

export function registerMap(program: Command, context: Context): void {
  const command = program
    .command('map')
    .summary('make a NAT port mapping')
    .description('Make a NAT port mapping: a port, or a range, goes to a host inside.');
  declareMap(command);
  command.action(async (name: string, external: string, internal: string | undefined, flags: MapFlags) => {
    const place = placeOf(context);
    const { Forward } = await import('../../model/config.ts');
    const request =
      flags.preset === undefined
        ? readMap({ name, external, internal }, flags, place, Forward)
        : readPresetMap({ name, host: external, extra: internal }, flags.preset, flags, place, Forward);
    await store(context, request);
    if (!request.json) await warn(context, request);
  });
}
