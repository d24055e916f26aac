import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createDesired } from '../../../src/engine/desired.ts';
import { openConfigFile } from '../../../src/store/config-file.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'desired-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const web = {
  name: 'web',
  kind: 'local',
  session: 'home',
  host: 'bastion',
  listen: { port: 8080 },
  target: { host: 'intranet', port: 80 },
};

it('takes a renamed session back whole', () => {
  const desired = createDesired(openConfigFile(dir), () => {});
  desired.add([web], false);
  desired.saveSession('home', 'what the house needs', undefined);
  desired.saveSession('home', undefined, 'house');
  expect(Object.keys(desired.config().sessions)).toEqual(['default', 'house']);
  desired.undo();
  expect(desired.config().sessions).toEqual({ default: { note: '' }, home: { note: 'what the house needs' } });
  expect(desired.get('web').session).toBe('home');
});

it('takes away the session an undone forward brought', () => {
  const desired = createDesired(openConfigFile(mkdtempSync(path.join(dir, 'other-'))), () => {});
  desired.add([web], false);
  desired.undo();
  expect(Object.keys(desired.config().sessions)).toEqual(['default']);
});

it('moves several at once, and one undo takes all of it back', () => {
  const desired = createDesired(openConfigFile(mkdtempSync(path.join(dir, 'other-'))), () => {});
  desired.add([web, { ...web, name: 'mail', listen: { port: 8025 } }], false);
  expect(() => desired.move(['web', 'nobody'], 'office')).toThrow('no forward is called nobody');
  expect(() => desired.move(['web', 'mail'], 'no name')).toThrow('a name has');
  expect(Object.keys(desired.config().sessions)).toEqual(['default', 'home']);
  desired.move(['web', 'mail'], 'office');
  expect(desired.config().forwards.map(({ session }) => session)).toEqual(['office', 'office']);
  expect(desired.undo()).toBe('move web, mail to session office');
  expect(desired.config().forwards.map(({ session }) => session)).toEqual(['home', 'home']);
  expect(Object.keys(desired.config().sessions)).toEqual(['default', 'home']);
});

it('drops what ssh(1) options would say once an edit leaves none of them', () => {
  const desired = createDesired(openConfigFile(mkdtempSync(path.join(dir, 'other-'))), () => {});
  desired.add([web], false);
  expect(desired.edit('web', { ssh: { user: 'me' } })).toMatchObject({ ssh: { user: 'me' } });
  expect(desired.edit('web', { ssh: { user: null } })).not.toHaveProperty('ssh');
});

it('takes a setting only as it can be, and metrics on loopback alone', () => {
  const desired = createDesired(openConfigFile(mkdtempSync(path.join(dir, 'other-'))), () => {});
  desired.saveSettings({ workers: 2, metrics: '127.0.0.1:9464' });
  expect(() => desired.saveSettings({ workers: 0 })).toThrow('workers');
  expect(() => desired.saveSettings({ metrics: '0.0.0.0:9464' })).toThrow('metrics cannot be served on 0.0.0.0');
  expect(() => desired.saveSettings({ metrics: 'here' })).toThrow('"here" is not an address and a port');
  expect(desired.config().settings).toMatchObject({ workers: 2, metrics: '127.0.0.1:9464' });
  desired.saveSettings({ metrics: false });
  expect(desired.config().settings.metrics).toBe(false);
});
