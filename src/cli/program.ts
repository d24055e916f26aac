import { Command, CommanderError, Option } from 'commander';
import { version } from '../model/build.ts';
import { registerAdd } from './commands/add.ts';
import { registerChange } from './commands/change.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerDemo } from './commands/demo.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerEdit } from './commands/edit.ts';
import { registerEngine } from './commands/engine.ts';
import { registerEvents } from './commands/events.ts';
import { registerFlows } from './commands/flows.ts';
import { registerGate } from './commands/gate.ts';
import { registerHosts } from './commands/hosts.ts';
import { registerImport } from './commands/import.ts';
import { registerLs } from './commands/ls.ts';
import { registerMap } from './commands/map.ts';
import { registerPresets } from './commands/presets.ts';
import { registerReports } from './commands/reports.ts';
import { registerRouter } from './commands/router.ts';
import { registerSessions } from './commands/sessions.ts';
import { registerShow } from './commands/show.ts';
import { registerTrigger } from './commands/trigger.ts';
import type { Context } from './context.ts';
import { examples } from './examples.ts';
import { parserFailure } from './failure.ts';

const groups: readonly (readonly [
  title: string,
  registers: readonly ((program: Command, context: Context) => void)[],
])[] = [
  ['Make and change:', [registerAdd, registerMap, registerTrigger, registerEdit, registerChange]],
  ['Look:', [registerLs, registerShow, registerFlows, registerEvents, registerHosts]],
  ['Guard:', [registerReports, registerRouter, registerGate]],
  ['Configuration:', [registerImport, registerSessions, registerPresets]],
  ['The program:', [registerEngine, registerDoctor, registerCompletion, registerDemo]],
];

/** The whole command line. */
export function buildProgram(context: Context): Command {
  const program = new Command('sallyport')
    .description(
      'SSH tunnels, NAT port mappings and triggered ports, each with its live traffic.\nWithout a command: the dashboard.',
    )
    .usage('[--engine ssh://DEST] [command]')
    .version(version, '-V, --version');
  for (const [title, registers] of groups) {
    program.commandsGroup(title);
    for (const register of registers) register(program, context);
  }
  prepare(program, [], context);
  return program;
}

/**
 * Runs the command that the words name. Help and the like, which commander ends with an error, are done when it returns.
 * @throws SallyportError `usage` for what it does not understand, and what the command throws
 */
export async function runProgram(context: Context): Promise<void> {
  try {
    await buildProgram(context).parseAsync([...context.argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw parserFailure(error, '');
  }
}

/** Gives a command and those below it our voice: errors in our form, examples, output through the context. */
function prepare(command: Command, path: readonly string[], context: Context): void {
  const name = path.join(' ');
  const lines = examples[name];
  if (lines !== undefined) command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  command
    .configureOutput({
      writeOut: (text) => context.out.print(text.replace(/\n$/, '')),
      writeErr: () => {},
      outputError: () => {},
    })
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : parserFailure(error, name);
    });
  if (command.commands.length === 0 && command.options.every(({ long }) => long !== '--json')) {
    command.addOption(new Option('--json', 'print JSON').hideHelp());
  }
  command.hook('preAction', (_, action) => {
    if (action === command) context.running = name;
  });
  for (const child of command.commands) prepare(child, [...path, child.name()], context);
}
