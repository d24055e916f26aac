import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { declareMap, type MapFlags, readMap } from '../requests/map.ts';
import { readPresetMap } from '../requests/preset.ts';
import { placeOf, store } from './add.ts';

export function registerMap(program: Command, context: Context): void {
  const command = program
    .command('map')
    .summary('make a NAT port mapping')
    .description('Make a NAT port mapping: a port, or a range, goes to a host inside.');
  declareMap(command);
  command.action(async (name: string, external: string, internal: string | undefined, flags: MapFlags) => {
    const place = placeOf(context);
    const request =
      flags.preset === undefined
        ? readMap({ name, external, internal }, flags, place)
        : readPresetMap({ name, host: external, extra: internal }, flags.preset, flags, place);
    await store(context, request);
  });
}
