import type { Command, Option } from 'commander';
import { findingLevels } from '../model/reports.ts';

export type NameKind = 'preset' | 'forward' | 'trigger' | 'session' | 'flow' | 'host';

/** What could stand where the cursor is. */
export interface Candidates {
  readonly typed: string;
  readonly words: readonly string[];
  /** Names only the engine or the file knows. */
  readonly names: NameKind | null;
  readonly files: boolean;
}

const optionValues: Readonly<Record<string, readonly string[]>> = {
  '--via': ['relay', 'nftables', 'router', 'remote'],
  '--proto': ['tcp', 'udp', 'both'],
  '--second': ['first', 'last'],
  '--source': ['flows', 'kernel'],
  '--helper': ['ftp', 'sip', 'h323', 'tftp', 'pptp', 'irc'],
  '--level': findingLevels,
};
const optionNames: Readonly<Record<string, NameKind>> = { '--session': 'session', '--preset': 'preset' };
const fileOptions = new Set(['--identity', '--config', '--login']);

/** What each command's words are, by their place; the last one repeats. */
const wordNames: Readonly<Record<string, readonly (NameKind | 'file' | null)[]>> = {
  up: ['forward'],
  down: ['forward'],
  restart: ['forward'],
  rm: ['forward'],
  edit: ['forward', null],
  show: ['forward', null],
  flows: ['forward', null],
  events: ['forward', null],
  open: ['trigger', null],
  close: ['trigger', null],
  kill: ['flow', null],
  add: [null, 'host', null],
  host: ['host', null],
  import: ['file'],
  export: ['file', null],
  'sessions rename': ['session', null],
  'sessions note': ['session', null],
  'sessions rm': ['session', null],
};
const fixedWords: Readonly<Record<string, readonly string[]>> = {
  completion: ['bash', 'zsh', 'fish'],
  import: ['ssh-config'],
};

/** @param words those after the program's name, the last one as far as it is typed */
export function complete(program: Command, words: readonly string[]): Candidates {
  const typed = words.at(-1) ?? '';
  let command = program;
  const path: string[] = [];
  let operands = 0;
  let pending: Option | null = null;
  for (const word of words.slice(0, -1)) {
    if (pending !== null) {
      pending = null;
      continue;
    }
    if (word.startsWith('-')) {
      const option = command.options.find(({ short, long }) => word === short || word === long);
      if (option?.required) pending = option;
      continue;
    }
    const child =
      operands === 0 ? command.commands.find((one) => one.name() === word || one.aliases().includes(word)) : undefined;
    if (child === undefined) operands++;
    else {
      command = child;
      path.push(child.name());
    }
  }
  const none: Candidates = { typed, words: [], names: null, files: false };
  if (pending !== null) {
    const long = pending.long ?? '';
    return {
      ...none,
      words: (pending.argChoices ?? optionValues[long] ?? []).filter(
        // Only what a trigger opens can be on the SSH server.
        (word) => word !== 'remote' || command.name() !== 'map',
      ),
      names: optionNames[long] ?? null,
      files: fileOptions.has(long),
    };
  }
  if (typed.startsWith('-')) {
    const flags = command.options.flatMap(({ short, long }) => [long, short]).filter((flag) => flag !== undefined);
    return { ...none, words: [...flags, '--help', ...(command === program ? ['--engine'] : [])] };
  }
  const name = path.join(' ');
  const places = wordNames[name] ?? [];
  const place = places[Math.min(operands, places.length - 1)] ?? null;
  const children =
    operands === 0 ? command.commands.map((one) => one.name()).filter((one) => !one.startsWith('_')) : [];
  return {
    ...none,
    words: [...children, ...(operands === 0 ? (fixedWords[name] ?? []) : [])],
    names: place === 'file' ? null : place,
    files: place === 'file',
  };
}
