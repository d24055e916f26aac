// Tab in the shells themselves.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../support/global-setup.ts';
import { type ProgramHome, programHome } from '../support/program.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';
import { missing } from '../support/tools.ts';

let home: ProgramHome;
let dir = '';
let shell: Terminal | null = null;

beforeAll(async () => {
  home = programHome();
  dir = home.dir;
  mkdirSync(path.join(dir, '.ssh'));
  writeFileSync(path.join(dir, '.ssh', 'config'), 'Host bastion\n');
  expect((await home.run(['map', 'webserver', '18080', '127.0.0.1:80'])).code).toBe(0);
  writeFileSync(path.join(dir, '_sallyport'), (await home.run(['completion', 'zsh'])).stdout);
});
afterEach(() => {
  shell?.close();
  shell = null;
});
afterAll(() => home?.remove());

async function start(program: string, args: string[], setUp: string): Promise<Terminal> {
  const env = {
    HOME: dir,
    SALLYPORT_HOME: dir,
    PATH: `${path.join(root, 'bin')}:${process.env.PATH}`,
    PS1: 'ready> ',
  };
  shell = openTerminal(program, args, { env, cwd: dir });
  await shell.see('ready>', 20_000);
  shell.press(`${setUp}; echo set''up`, 'enter');
  await shell.see(/^setup/m, 20_000);
  return shell;
}

const bash = () => start('bash', ['--norc', '--noprofile', '-i'], 'source <(sallyport completion bash)');
const zsh = (setUp: string) => start('zsh', ['-f', '-i'], setUp);
const compinit = 'autoload -Uz compinit; compinit -u';

/** What each line comes to with a tab after it. */
async function completes(terminal: Terminal): Promise<void> {
  for (const [typed, whole] of [
    ['sallyport show webs', 'sallyport show webserver'],
    ['sallyport down --sess', 'sallyport down --session'],
    ['sallyport map x --via n', 'sallyport map x --via nftables'],
    ['sallyport add x bas', 'sallyport add x bastion'],
    ['sallyport import conf', 'sallyport import config.json'],
  ] as const) {
    terminal.press(typed, 'tab');
    await terminal.see(whole, 20_000);
    terminal.press('ctrl+u');
  }
}

test('bash: names, flags, values, hosts and files', { timeout: 60_000 }, async () => {
  await completes(await bash());
});

describe.skipIf(missing('zsh'))('zsh', () => {
  test('names, flags, values, hosts and files', { timeout: 60_000 }, async () => {
    await completes(await zsh(`${compinit}; source <(sallyport completion zsh)`));
  });

  test('as a file in fpath, from the first tab on', { timeout: 60_000 }, async () => {
    const terminal = await zsh(`fpath=($PWD $fpath); ${compinit}`);
    terminal.press('sallyport show webs', 'tab');
    await terminal.see('sallyport show webserver', 20_000);
  });
});
