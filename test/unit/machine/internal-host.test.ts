import { describe, expect, test } from 'vitest';
import { deviceFinder, followHost, macOf, resolveInternal } from '../../../src/machine/internal-host.ts';
import type { Device } from '../../../src/model/reports.ts';
import { until } from '../../support/until.ts';

const device = (address: string, name: string | null, mac: string | null): Device => ({
  address,
  name,
  mac,
  lease: 'dynamic',
  source: 'dnsmasq',
});
const heard = (address: string, mac: string, fresh: boolean) =>
  ({ address, mac, fresh, name: null, lease: 'unknown', source: 'neighbour' }) as const;
const sources = {
  neighbours: async () => [
    heard('192.168.1.20', '52:54:00:aa:00:01', false),
    heard('fe80::1', '52:54:00:aa:00:01', true),
    heard('fd00::21', '52:54:00:aa:00:01', true),
    heard('192.168.1.21', '52:54:00:aa:00:01', true),
  ],
  devices: async () => [device('192.168.1.30', 'nas.home', '52:54:00:aa:00:02')],
  lookup: async (name: string) => {
    if (name !== 'web') throw new Error('ENOTFOUND');
    return ['fd00::80', '192.168.1.80', '192.168.1.80'];
  },
};

describe('an internal host', () => {
  test.each([
    ['192.168.1.9', ['192.168.1.9']],
    ['[fd00::9]', ['fd00::9']],
    ['52-54-00-AA-00-01', ['192.168.1.21', '192.168.1.20', 'fd00::21']],
    ['52:54:00:aa:00:02', ['192.168.1.30']],
    ['web', ['192.168.1.80', 'fd00::80']],
    ['NAS', ['192.168.1.30']],
    ['nas.home', ['192.168.1.30']],
  ])('%s is at %j', async (host, addresses) => {
    expect(await resolveInternal(host, sources)).toEqual(addresses);
  });

  test.each(['00:00:00:00:00:09', 'nas.elsewhere', 'nobody'])('%s is nowhere', async (host) => {
    await expect(resolveInternal(host, sources)).rejects.toMatchObject({ code: 'target_unresolved' });
  });

  test('that got a new lease is there, though its former address is still believed in', async () => {
    const mac = '52:54:00:aa:00:03';
    const both = [heard('192.168.1.40', mac, true), heard('192.168.1.41', mac, false), heard('fd00::40', mac, true)];
    const at = (neighbours: typeof both) =>
      resolveInternal(mac, {
        ...sources,
        neighbours: async () => neighbours,
        devices: async () => [device('192.168.1.41', 'cam', mac)],
      });
    expect(await at(both)).toEqual(['192.168.1.41', 'fd00::40']);
    // One that took an address by itself has not been heard at the leased one.
    expect(await at(both.slice(0, 1))).toEqual(['192.168.1.40', '192.168.1.41']);
  });

  test('a relay is told the address only where the resolver could not', async () => {
    const find = deviceFinder(sources);
    expect(await find('192.168.1.9')).toBe('192.168.1.9');
    expect(await find('web')).toBe('web');
    expect(await find('nas')).toBe('192.168.1.30');
    expect(await find('52:54:00:aa:00:02')).toBe('192.168.1.30');
    await expect(find('nobody')).rejects.toMatchObject({ code: 'target_unresolved' });
  });

  test('has a MAC address', async () => {
    expect(await macOf('192.168.1.20', sources)).toBe('52:54:00:aa:00:01');
    expect(await macOf('192.168.1.30', sources)).toBe('52:54:00:aa:00:02');
    expect(await macOf('192.168.1.99', sources)).toBeNull();
  });
});

describe('a host that is followed', () => {
  const follow = (host: string, answers: (string[] | Error)[]) => {
    const told: [readonly string[], string | null][] = [];
    let asked = 0;
    const controller = new AbortController();
    followHost(host, (addresses, failure) => told.push([addresses, failure?.code ?? null]), controller.signal, {
      everyMs: 1,
      resolve: async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)];
        if (answer instanceof Error || answer === undefined) throw answer;
        return answer;
      },
    });
    return { told, controller, asked: () => asked };
  };

  test('tells changes only, keeps its address through a failure, and stays with the one in use', async () => {
    const { told, controller, asked } = follow('nas', [
      ['10.0.0.1', '10.0.0.2'],
      ['10.0.0.2', '10.0.0.1'],
      new Error('resolver away'),
      ['10.0.0.3', '10.0.0.1'],
      ['10.0.0.4'],
    ]);
    await until('all answers', () => asked() > 6);
    controller.abort();
    expect(told).toEqual([
      [['10.0.0.1', '10.0.0.2'], null],
      [['10.0.0.1', '10.0.0.3'], null],
      [['10.0.0.4'], null],
    ]);
    const count = asked();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked()).toBe(count);
  });

  test('that is nowhere yet is told once, and again when it turns up', async () => {
    const { told, controller, asked } = follow('nas', [new Error('no'), new Error('no'), ['10.0.0.1']]);
    await until('all answers', () => asked() > 3);
    controller.abort();
    expect(told).toEqual([
      [[], 'internal'],
      [['10.0.0.1'], null],
    ]);
  });

  test('given as an address is asked for once', async () => {
    const { told, controller, asked } = follow('10.0.0.9', [['10.0.0.9']]);
    await until('the answer', () => told.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    expect(asked()).toBe(1);
  });
});
