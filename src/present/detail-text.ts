// The sections of a forward's details that are text.
import type { Forward } from '../model/config.ts';
import { commandOf } from './command.ts';
import { configLines } from './config-lines.ts';
import { explain } from './explain.ts';
import { type Line, seg, wrapText } from './line.ts';

/** The configuration, or the same forward as a command of another program and in plain words. */
export function detailText(section: 'config' | 'command', config: Forward, width: number): Line[] {
  if (section === 'config') return configLines(config, width);
  return [
    ...commandOf(config).flatMap((command) => wrapText(command, width).map((text): Line => [seg(text, 'accent')])),
    [],
    ...wrapText(explain(config), width).map((text): Line => [seg(text)]),
  ];
}
