import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Config, emptyConfig } from '../../src/model/config.ts';
import { lastGoodName } from '../../src/model/config-text.ts';
import { openConfigFile } from '../../src/store/config-file.ts';

const forward = { name: 'web', kind: 'local', host: 'box', listen: { port: 8080 }, target: { host: 'web', port: 80 } };
const withForward = Config.parse({ version: 1, forwards: [forward] });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-store-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('the config file', () => {
  test('is empty where there is none, and is not created by reading', () => {
    expect(openConfigFile(dir).read()).toEqual(emptyConfig());
    expect(readdirSync(dir)).toEqual([]);
  });

  test('reads back what was written, private to the user, with the last good one beside it', () => {
    const file = openConfigFile(dir);
    file.write(emptyConfig());
    file.write(withForward);
    expect(file.read()).toEqual(withForward);
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path.join(dir, lastGoodName), 'utf8'))).toEqual(emptyConfig());
  });

  test.each([
    ['{"version":1,', 'it is not JSON'],
    ['{"version":1,"forwards":[{"name":"a b","kind":"local"}]}', 'forwards.0.name'],
    ['{"version":1,"forwards":[{"name":"a","kind":"tunnel"}]}', 'forwards.0.kind'],
    [
      JSON.stringify({ version: 1, forwards: [{ ...forward, listen: { port: 70_000 } }] }),
      'forwards.0.listen.port: ports go from',
    ],
    [JSON.stringify({ version: 1, forwards: [forward, forward] }), 'two forwards are called web'],
    [JSON.stringify({ version: 1, forwards: [{ ...forward, colour: 'red' }] }), 'there is no key "colour" here'],
    [JSON.stringify({ version: 1, forwards: [{ ...forward, host: undefined }] }), 'forwards.0.host: is missing'],
    [
      JSON.stringify({ version: 1, forwards: [{ ...forward, enabled: 'yes' }] }),
      'forwards.0.enabled: must be a boolean',
    ],
    [
      JSON.stringify({ version: 1, forwards: [forward, { ...forward, name: 'mail', allow: ['all'] }] }),
      'forwards.1.allow.0: an address or network like 203.0.113.0/24 (forward "mail")',
    ],
    [JSON.stringify({ version: 1, forwards: [null] }), 'forwards.0'],
    [JSON.stringify({ version: 1, settings: { theme: 'pink' } }), 'settings.theme: must be auto, dark, light'],
    [JSON.stringify({ version: 1, settings: { refreshMs: 1 } }), 'settings.refreshMs: must be at least 100'],
    ['[]', 'config'],
  ])('%s is refused in one line and left as it is', (text, message) => {
    const file = openConfigFile(dir);
    writeFileSync(file.path, text);
    expect(() => file.read()).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) }),
    );
    expect(readFileSync(file.path, 'utf8')).toBe(text);
  });

  test('of a newer version is refused', () => {
    const file = openConfigFile(dir);
    writeFileSync(file.path, '{"version":2}');
    expect(() => file.read()).toThrow(expect.objectContaining({ code: 'config_newer' }));
  });

  test('written by hand, without what may be left out, is read whole and can be written', () => {
    const file = openConfigFile(dir);
    writeFileSync(file.path, JSON.stringify({ version: 1, forwards: [{ ...forward, session: 'home' }] }));
    const read = file.read();
    expect(read.sessions).toEqual({ default: { note: '' }, home: { note: '' } });
    file.write(read);
    expect(file.read()).toEqual(read);
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
  });

  test('edited into nonsense stays a change of somebody else until it is understood', () => {
    const file = openConfigFile(dir);
    file.write(withForward);
    writeFileSync(file.path, '{ nonsense');
    for (const _ of [1, 2]) {
      expect(file.changedOutside()).toBe(true);
      expect(() => file.read()).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    }
  });

  test('and its last good copy are never one file, which editing in place would spoil together', () => {
    const file = openConfigFile(dir);
    file.write(emptyConfig());
    file.write(withForward);
    expect(() => file.write({ ...withForward, version: 7 } as unknown as Config)).toThrow();
    expect(readdirSync(dir).sort()).toEqual(['config.json', lastGoodName]);
    writeFileSync(file.path, 'spoiled');
    expect(JSON.parse(readFileSync(path.join(dir, lastGoodName), 'utf8'))).toEqual(emptyConfig());
  });

  test('tells when somebody else wrote it', () => {
    const file = openConfigFile(dir);
    file.write(emptyConfig());
    expect(file.changedOutside()).toBe(false);
    writeFileSync(file.path, JSON.stringify(withForward));
    expect(file.changedOutside()).toBe(true);
    file.read();
    expect(file.changedOutside()).toBe(false);
  });

  test('that cannot be written stays what it was', () => {
    const file = openConfigFile(dir);
    file.write(withForward);
    const before = readFileSync(file.path, 'utf8');
    const broken = { ...withForward, version: 7 } as unknown as Config;
    expect(() => file.write(broken)).toThrow(expect.objectContaining({ code: 'config_write' }));
    expect(readFileSync(file.path, 'utf8')).toBe(before);
    expect(readdirSync(dir).sort()).toEqual(['config.json']);
  });
});
