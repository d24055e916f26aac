// Every command's own help, as the program prints it.
import type { Command } from 'commander';
import { contextFrom } from '../src/cli/context.ts';
import { buildProgram } from '../src/cli/program.ts';
import { findHome } from '../src/model/home.ts';

const printed: string[] = [];

/** A command line that prints into `printed`, whatever terminal this runs in. */
function quietProgram(): Command {
  const { stdin, stdout, stderr } = process;
  return buildProgram(
    contextFrom({
      home: findHome({ HOME: '/home/user' }),
      env: { NO_COLOR: '1' },
      cwd: '/',
      argv: [],
      stdin,
      stdout,
      stderr,
      out: { print: (text) => printed.push(text), warn: () => {}, json: () => {}, flush: async () => true },
      engineFile: '',
      signal: new AbortController().signal,
    }),
  );
}

function helpOf(command: Command): string {
  printed.length = 0;
  command.configureHelp({ helpWidth: 100 });
  command.outputHelp();
  return `\`\`\`text\n${printed.join('\n').trimEnd()}\n\`\`\``;
}

const shown = ({ commands }: Command) => commands.filter((command) => command.description() !== '');

/** The program's help, then each command under the heading of its group. */
export function commandHelp(): string {
  const program = quietProgram();
  const parts = [helpOf(program)];
  let group = '';
  for (const command of shown(program)) {
    if (command.helpGroup() !== group) {
      group = command.helpGroup();
      parts.push(`## ${group.replace(/:$/, '')}`);
    }
    parts.push(`### ${command.name()}`, helpOf(command));
    for (const child of shown(command)) parts.push(`#### ${command.name()} ${child.name()}`, helpOf(child));
  }
  return parts.join('\n\n');
}
