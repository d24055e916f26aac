import { describe, expect, test } from 'vitest';
import { Forward } from '../../src/model/config.ts';
import { conflictError, findConflict } from '../../src/model/conflicts.ts';

const local = (name: string, listen: object) =>
  Forward.parse({ name, kind: 'local', host: 'box', listen, target: { host: 'web', port: 80 } });
const remote = (name: string, host: string, port: number) =>
  Forward.parse({ name, kind: 'remote', host, listen: { port }, target: { host: 'web', port: 80 } });
const mapping = (name: string, via: string, listen: object, more: object = {}) =>
  Forward.parse({ name, kind: 'mapping', via, listen, target: { host: '192.168.1.20', port: 25_565 }, ...more });
const trigger = (name: string, open: object[], more: object = {}) =>
  Forward.parse({ name, kind: 'trigger', via: 'nftables', on: { proto: 'tcp', ports: '6667' }, open, ...more });

describe('two forwards that want the same', () => {
  test.each([
    ['the same loopback port', local('a', { port: 8080 }), local('b', { port: 8080 }), 'tcp 8080'],
    [
      'both loopbacks and one of them',
      local('a', { port: 8080 }),
      local('b', { address: '::1', port: 8080 }),
      'tcp 8080',
    ],
    [
      'localhost and 127.0.0.1',
      local('a', { address: 'localhost', port: 1 }),
      local('b', { address: '127.0.0.1', port: 1 }),
      'tcp 1',
    ],
    [
      'every address and one',
      local('a', { address: '*', port: 8080 }),
      local('b', { address: '10.0.0.1', port: 8080 }),
      'tcp 8080',
    ],
    ['one Unix socket', local('a', { socket: '/tmp/x' }), local('b', { socket: '/tmp/x' }), '/tmp/x'],
    ['one port of one SSH server', remote('a', 'box', 9000), remote('b', 'box', 9000), 'tcp 9000'],
    [
      'ranges that overlap',
      mapping('a', 'nftables', { port: 6000, last: 6010 }),
      mapping('b', 'nftables', { port: 6010 }),
      'tcp 6010',
    ],
    [
      'tcp and both',
      mapping('a', 'nftables', { port: 3389 }),
      mapping('b', 'nftables', { port: 3389 }, { proto: 'both' }),
      'tcp 3389',
    ],
    [
      'a kernel mapping over a tunnel',
      mapping('a', 'nftables', { port: 8080 }),
      local('b', { port: 8080 }),
      'tcp 8080',
    ],
    [
      'a mapping and a trigger',
      mapping('a', 'nftables', { port: 113 }),
      trigger('b', [{ proto: 'tcp', ports: '100-120' }]),
      'tcp 113',
    ],
    [
      'a mapping on an address and a trigger on an interface',
      mapping('a', 'nftables', { address: '203.0.113.5', port: 113 }),
      { ...trigger('b', [{ proto: 'tcp', ports: '113' }]), bind: 'wan0' },
      'tcp 113',
    ],
    [
      'two triggers',
      trigger('a', [{ proto: 'udp', ports: '53' }]),
      trigger('b', [{ proto: 'both', ports: '53' }]),
      'udp 53',
    ],
    ['two leases of the router', mapping('a', 'router', { port: 80 }), mapping('b', 'router', { port: 80 }), 'tcp 80'],
  ])('%s', (_, first, second, what) => {
    expect(findConflict(second, [first])).toEqual({
      is: 'held',
      holder: 'a',
      what: expect.stringContaining(what.split(' ')[0] as string),
    });
    expect(findConflict(first, [second])).not.toBeNull();
  });

  test.each([
    ['different ports', local('a', { port: 8080 }), local('b', { port: 8081 })],
    [
      'different addresses',
      local('a', { address: '10.0.0.1', port: 80 }),
      local('b', { address: '10.0.0.2', port: 80 }),
    ],
    ['different servers', remote('a', 'box', 9000), remote('b', 'other', 9000)],
    ['any free port', local('a', { port: 0 }), local('b', { port: 0 })],
    ['tcp and udp', mapping('a', 'relay', { port: 53 }), mapping('b', 'relay', { port: 53 }, { proto: 'udp' })],
    ['here and at the router', mapping('a', 'router', { port: 80 }), mapping('b', 'relay', { port: 80 })],
    ['itself under its own name', local('a', { port: 8080 }), local('a', { port: 8080 })],
  ])('%s do not collide', (_, first, second) => {
    expect(findConflict(second, [first])).toBeNull();
  });

  test('a trigger that opens one port twice contradicts itself', () => {
    expect(findConflict(trigger('a', [{ proto: 'tcp', ports: '113,110-120' }]), [])).toEqual({
      is: 'held',
      holder: 'a',
      what: 'tcp 110-120',
    });
  });
});

describe('relays that lead into each other', () => {
  const relay = (
    name: string,
    port: number,
    to: number,
    more: { address?: string; host?: string; last?: number } = {},
  ) =>
    Forward.parse({
      ...{ name, kind: 'mapping', via: 'relay', proto: 'tcp' },
      listen: { address: more.address, port, last: more.last },
      target: { host: more.host ?? '127.0.0.1', port: to },
    });
  const through = (asking: Forward, ...others: Forward[]) => {
    const conflict = findConflict(asking, others);
    return conflict?.is === 'loop' ? conflict.through : conflict;
  };

  test('two, three, and one of another name are found, with the way round', () => {
    expect(through(relay('b', 8001, 8000), relay('a', 8000, 8001))).toEqual(['a']);
    expect(through(relay('c', 8002, 8000), relay('a', 8000, 8001), relay('b', 8001, 8002))).toEqual(['a', 'b']);
    expect(through(relay('b', 8001, 8000, { host: 'localhost' }), relay('a', 8000, 8001, { address: '*' }))).toEqual([
      'a',
    ]);
    const lan = { address: '192.168.1.1', host: '192.168.1.1' };
    expect(through(relay('b', 8001, 8000, lan), relay('a', 8000, 8001, lan))).toEqual(['a']);
    expect(conflictError(relay('b', 8001, 8000), { is: 'loop', through: ['a'] }).message).toBe(
      'b would lead back to itself through a',
    );
  });

  test('a chain, another machine and another transport are no loop', () => {
    expect(through(relay('b', 8001, 80), relay('a', 8000, 8001))).toBeNull();
    expect(through(relay('b', 8001, 8000), relay('a', 8000, 8001, { host: '192.168.1.9' }))).toBeNull();
    expect(through(relay('b', 8001, 8000), relay('a', 8000, 8001, { address: '192.168.1.1' }))).toBeNull();
    expect(through({ ...relay('b', 8001, 8000), proto: 'udp' } as Forward, relay('a', 8000, 8001))).toBeNull();
    expect(through(relay('a', 8000, 8002), relay('a', 8000, 8001), relay('b', 8001, 8000))).toBeNull();
  });

  test('of ranges only what comes back as the same port', () => {
    expect(through(relay('b', 9000, 8001, { last: 9010 }), relay('a', 8000, 9000, { last: 8010 }))).toBeNull();
    expect(through(relay('b', 9005, 8005, { last: 9010 }), relay('a', 8000, 9000, { last: 8010 }))).toEqual(['a']);
    // twice through the one that leads on into its own range
    const others = [relay('b', 9000, 9005, { last: 9005 }), relay('c', 9010, 8000)];
    expect(through(relay('a', 8000, 9000), ...others)).toEqual(['b', 'b', 'c']);
  });
});
