import type { Command } from 'commander';
import { parseCidr } from '../../model/cidr.ts';
import type { ForwardSchema, PortSet, Trigger } from '../../model/config.ts';
import { someTime } from '../../model/duration.ts';
import { SallyportError } from '../../model/errors.ts';
import { formatPortRange, parsePortRange } from '../../model/ports.ts';
import { type CommonFlags, collect, commonFields, declareCommon, withoutNulls } from '../flags/common.ts';
import type { Place } from '../paths.ts';
import type { NewForwards } from './add.ts';
import { newForwards } from './map.ts';

/** The flags only a trigger has, as typed. */
export interface TriggerFlags extends CommonFlags {
  on?: string[];
  open?: string[];
  idle?: string;
  second?: string;
  via?: string;
  source?: string;
  from?: string[];
  to?: string[];
  bind?: string;
  maxOpen?: string;
  closeFlows?: boolean;
  try?: string;
  preset?: string;
}

export function declareTrigger(command: Command): Command {
  command.argument('<name>', 'name of the trigger');
  declareTriggerFlags(command)
    .option('--via <gateway>', 'what opens: relay, nftables, router or remote (default: relay)')
    .option('--bind <address>', 'address the opened ports are on')
    .option('--preset <preset>', "a known service's ports; sallyport presets lists them")
    .option('--try <host>', 'change nothing: say what would happen if this host called now');
  return declareCommon(command);
}

export function declareTriggerFlags(command: Command): Command {
  return command
    .option('--on <proto/ports>', 'outbound ports that trigger: tcp/6660-6669; repeatable', collect)
    .option('--open <proto/ports>', 'inbound ports that open: tcp/113,udp/2000-2010', collect)
    .option('--idle <duration>', 'closes after so long without traffic (default: 10m)')
    .option('--second <who>', 'first: the port stays with the host that has it; last: it moves (default: first)')
    .option('--source <source>', 'what sees the call: flows or kernel')
    .option('--from <cidr>', 'hosts that may trigger; repeatable', collect)
    .option('--to <cidr>', 'destinations that count; repeatable', collect)
    .option('--max-open <duration>', 'longest time open in one go')
    .option('--close-flows', 'cut running flows when it closes');
}

/**
 * `tcp/113,udp/2000-2010`; ports without a protocol belong to the one before them.
 * @throws SallyportError `bad_value`
 */
export function parsePortSets(texts: readonly string[], flag: string): PortSet[] {
  const sets: { proto: PortSet['proto']; ports: string[] }[] = [];
  for (const part of texts.flatMap((text) => text.split(','))) {
    const [, proto, ports = ''] = /^\s*(?:(tcp|udp|both)\/)?(\S+)\s*$/i.exec(part) ?? [];
    const last = sets.at(-1);
    if (ports === '' || (proto === undefined && last === undefined)) {
      throw new SallyportError(
        'bad_value',
        `${flag} "${part}": not PROTO/PORTS`,
        `write it like ${flag} tcp/6660-6669`,
      );
    }
    const range = formatPortRange(parsePortRange(ports));
    if (proto === undefined) last?.ports.push(range);
    else sets.push({ proto: proto.toLowerCase() as PortSet['proto'], ports: [range] });
  }
  return sets.map(({ proto, ports }) => ({ proto, ports: ports.join(',') }));
}

/** What the flags say; null: none of it. */
export function triggerFields(flags: TriggerFlags): Partial<Record<keyof Trigger, unknown>> {
  const { on, open, idle, second, via, source, from, to, bind, maxOpen, closeFlows } = flags;
  const list = (entries: string[]) =>
    entries.join() === 'none' ? null : entries.flatMap((entry) => entry.split(',')).map(parseCidr);
  const sets = on === undefined ? [] : parsePortSets(on, '--on');
  return {
    ...(on !== undefined && { on: sets.length === 1 ? sets[0] : sets }),
    ...(open !== undefined && { open: parsePortSets(open, '--open') }),
    ...(idle !== undefined && { idle: someTime(idle) }),
    ...(second !== undefined && { second }),
    ...(via !== undefined && { via }),
    ...(source !== undefined && { source }),
    ...(from !== undefined && { from: list(from) }),
    ...(to !== undefined && { to: list(to) }),
    ...(bind !== undefined && { bind: bind === 'none' ? null : bind }),
    ...(maxOpen !== undefined && { maxOpen: maxOpen === 'none' ? null : someTime(maxOpen) }),
    ...(closeFlows && { closeFlows }),
  };
}

export function readTrigger(name: string, flags: TriggerFlags, place: Place, schema: ForwardSchema): NewForwards {
  if (flags.on === undefined || flags.open === undefined) {
    throw new SallyportError(
      'usage',
      `trigger: ${flags.on === undefined ? '--on' : '--open'} is missing`,
      'sallyport trigger irc --on tcp/6660-6669 --open tcp/113',
    );
  }
  const fields = withoutNulls({ ...commonFields(flags, place), ...triggerFields(flags) });
  return newForwards([{ name, kind: 'trigger', ...fields }], flags, schema);
}
