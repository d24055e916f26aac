import { execFileSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { complete } from '../../../src/cli/complete.ts';
import { type Context, contextFrom } from '../../../src/cli/context.ts';
import { examples } from '../../../src/cli/examples.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { readRemote, remoteArguments } from '../../../src/cli/remote.ts';
import { SallyportError } from '../../../src/model/errors.ts';
import { findHome } from '../../../src/model/home.ts';

function testContext(argv: readonly string[]): Context & { lines: string[] } {
  const lines: string[] = [];
  const tty = new PassThrough() as never;
  const context = contextFrom({
    home: findHome({ SALLYPORT_HOME: '/nonexistent' }),
    env: {},
    cwd: '/',
    argv,
    stdin: tty,
    stdout: tty,
    stderr: tty,
    out: { print: (text) => lines.push(text), json: () => {}, warn: () => {}, flush: async () => true },
    engineFile: '/nonexistent',
    signal: new AbortController().signal,
  });
  return Object.assign(context, { lines });
}

/** A program whose commands do nothing, so that only the command line is judged. */
function idleProgram(argv: readonly string[], ran: string[] = []): Command {
  const program = buildProgram(testContext(argv));
  const quiet = (command: Command) => {
    if (command.commands.length === 0 || command.name() === 'router' || command.name() === 'sessions') {
      command.action(() => void ran.push(command.name()));
    }
    command.commands.forEach(quiet);
  };
  quiet(program);
  return program;
}

/** A shell's view of a line, by a real shell. */
const shellSplit = (line: string) =>
  execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8', env: { HOME: '/home/ops' } })
    .split('\0')
    .slice(0, -1);

describe('the command line', () => {
  test('every example in the help is understood', () => {
    const lines = Object.values(examples).flat();
    expect(lines.length).toBeGreaterThan(40);
    for (const line of lines) {
      if (line.includes('<(')) continue;
      const argv = shellSplit(line).slice(1);
      const remote = readRemote(argv);
      const words = remote?.words ?? argv;
      if (words.length === 0) continue;
      const ran: string[] = [];
      expect(() => idleProgram(words, ran).parse(words, { from: 'user' }), line).not.toThrow();
      expect(ran, line).toHaveLength(1);
    }
  });

  test('help names the examples, and every command has some help', () => {
    const context = testContext([]);
    const program = buildProgram(context);
    for (const command of program.commands) {
      if (command.name().startsWith('_')) continue;
      context.lines.length = 0;
      expect(() => program.parse([command.name(), '--help'], { from: 'user' })).toThrow(/outputHelp/);
      const text = context.lines.join('\n');
      expect(text).toContain(`Usage: sallyport ${command.name()}`);
      for (const line of examples[command.name()] ?? []) expect(text).toContain(line);
    }
  });

  test.each([
    [['lss'], "unknown command 'lss'", 'ls, or'],
    [['add', 'a', 'b', '--alow', 'x'], "unknown option '--alow'", '--allow, or sallyport add --help'],
    [['engine', 'strat'], "unknown command 'strat'", 'start, or sallyport engine --help'],
    [['ls', 'x'], 'too many words', 'sallyport ls --help'],
    [['show'], "missing required argument 'name'", 'sallyport show --help'],
    [['audit', '--level', 'loud'], 'loud', 'sallyport audit --help'],
  ])('%j says what is wrong and what comes next', (argv, message, hint) => {
    let thrown: unknown;
    try {
      idleProgram(argv).parse(argv, { from: 'user' });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SallyportError);
    const { failure } = thrown as SallyportError;
    expect(failure.code).toBe('usage');
    expect(failure.message).toContain(message);
    expect(failure.message).not.toContain('\n');
    expect(failure.hint).toContain(hint);
  });
});

describe('completion', () => {
  const at = (...words: string[]) => complete(idleProgram([]), words);
  test('commands, options, values, names and files', () => {
    expect(at('re').words).toEqual(expect.arrayContaining(['restart']));
    expect(at('').words.some((word) => word.startsWith('_'))).toBe(false);
    expect(at('up', '')).toMatchObject({ names: 'forward', files: false });
    expect(at('up', 'a', '')).toMatchObject({ names: 'forward' });
    expect(at('show', 'a', '').names).toBeNull();
    expect(at('up', '--session', '').names).toBe('session');
    expect(at('add', 'x', 'h', '-i', '').files).toBe(true);
    expect(at('map', 'x', '80', 'h', '--via', '').words).toEqual(['relay', 'nftables', 'router']);
    expect(at('trigger', 'x', '--via', '').words).toContain('remote');
    expect(at('add', 'x', '--se').words).toContain('--session');
    expect(at('engine', '').words).toContain('uninstall');
    expect(at('close', '').names).toBe('trigger');
    expect(at('sessions', 'rm', '').names).toBe('session');
    expect(at('import', '')).toMatchObject({ words: ['ssh-config'], files: true });
  });
});

describe('--engine', () => {
  test('is taken off the front, and only there', () => {
    expect(readRemote(['--engine', 'ssh://ops@box:22', 'ls', '--json'])).toEqual({
      dest: 'ssh://ops@box:22',
      words: ['ls', '--json'],
    });
    expect(readRemote(['--engine=ssh://box/', 'up'])).toEqual({ dest: 'ssh://box', words: ['up'] });
    expect(readRemote(['ls', '--engine', 'ssh://box'])).toBeNull();
    for (const dest of ['box', 'ssh://', 'ssh://-oProxyCommand=x', 'ssh://a b', 'http://box']) {
      expect(() => readRemote(['--engine', dest, 'ls']), dest).toThrow(SallyportError);
    }
  });

  test('words arrive at the far program unchanged, whatever is in them', () => {
    const words = [
      'add',
      "o'brien",
      '$(touch /tmp/x)',
      '`id`',
      'a b',
      '',
      '*',
      '--note',
      'line\nbreak',
      '"\\',
      'ü;&|<>#!~',
    ];
    const [mode, dashes, dest, line] = remoteArguments({ dest: 'ssh://box', words }, false);
    expect([mode, dashes, dest]).toEqual(['-T', '--', 'ssh://box']);
    expect(remoteArguments({ dest: 'ssh://box', words }, true)[0]).toBe('-t');
    const seen = execFileSync('sh', ['-c', `sallyport() { printf '%s\\0' "$@"; }; ${line}`], { encoding: 'utf8' });
    expect(seen.split('\0').slice(0, -1)).toEqual(words);
  });
});
