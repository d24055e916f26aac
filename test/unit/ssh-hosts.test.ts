import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sshHostNames } from '../../src/ui/ssh-hosts.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'ssh-hosts-'));
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('names of Host lines, through Include, without patterns', () => {
  mkdirSync(path.join(home, '.ssh', 'conf.d'), { recursive: true });
  writeFileSync(
    path.join(home, '.ssh', 'config'),
    'Include conf.d/*\n# Host commented\nhost=pr "with space" !not *.wild\n  HostName 192.0.2.1\nMatch host other\nHost pr last\nInclude config\n',
  );
  writeFileSync(path.join(home, '.ssh', 'conf.d', '10'), 'Host inner\n');
  expect(sshHostNames(home)).toEqual(['inner', 'pr', 'with space', 'last']);
});

test('no file, no names', () => {
  expect(sshHostNames(path.join(home, 'nowhere'))).toEqual([]);
});
