import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { type AddFlags, declareAdd, readAdd } from '../../../src/cli/requests/add.ts';
import { editPatch } from '../../../src/cli/requests/edit.ts';
import { parseInternal, readMap } from '../../../src/cli/requests/map.ts';
import { parsePortSets, readTrigger } from '../../../src/cli/requests/trigger.ts';
import { Forward } from '../../../src/model/config.ts';
import { SallyportError } from '../../../src/model/errors.ts';
import { parseRate } from '../../../src/model/rate.ts';

const place = { cwd: '/work', userHome: '/home/ops', now: new Date('2026-11-22T12:00:00.000Z') };
const add = (...words: string[]) => {
  const command = new Command('add').exitOverride().configureOutput({ writeErr: () => {} });
  const typed = declareAdd(command);
  command.parse(words, { from: 'user' });
  const [name, dest, more] = command.processedArgs as [string, string, string[]];
  return readAdd({ name, dest, more, typed }, command.opts<AddFlags>(), place, Forward);
};
const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error instanceof SallyportError ? error.code : String(error);
  }
  return 'nothing thrown';
};

describe('add', () => {
  test('options stand anywhere, and ssh spellings mean what they mean to ssh', () => {
    const { forwards, up, waitMs } = add(
      ...['-p2222', 'web', '-CJ', 'a,b', 'ops@box', '-i', '~/k', '-i', 'rel/k', '-i', '%d/k', '-l', 'me', '-F', 'conf'],
      ...['-o', 'ServerAliveInterval 10', '-o', 'carrier=openssh', '-L', '8080:intra:80', '--up', '--for', '30m'],
      ...['--allow', '10.0.0.0/8', '--allow', '203.0.113.7', '--rate', '2M', '--probe', 'off', '--wait', '3'],
    );
    expect([up, waitMs]).toEqual([true, 3000]);
    expect(forwards).toEqual([
      {
        kind: 'local',
        name: 'web',
        session: 'default',
        enabled: false,
        host: 'ops@box',
        listen: { port: 8080 },
        target: { host: 'intra', port: 80 },
        allow: ['10.0.0.0/8', '203.0.113.7/32'],
        rate: 2_000_000,
        until: '2026-11-22T12:30:00.000Z',
        probe: false,
        ssh: {
          port: 2222,
          compression: true,
          jump: 'a,b',
          identities: ['/home/ops/k', '/work/rel/k', '%d/k'],
          user: 'me',
          configFile: '/work/conf',
          options: ['ServerAliveInterval=10', 'carrier=openssh'],
        },
      },
    ]);
  });

  test('several specifications, mixed and repeated, are numbered in their order', () => {
    const { forwards } = add('m', 'box', '-L', '1:a:2', '-D', '3', '-L', '/s:/t', '-R', '0');
    expect(forwards.map(({ name, kind }) => [name, kind])).toEqual([
      ['m-1', 'local'],
      ['m-2', 'dynamic'],
      ['m-3', 'local'],
      ['m-4', 'remote'],
    ]);
    expect(forwards[2]).toMatchObject({ listen: { socket: '/s' }, target: { socket: '/t' } });
    expect(forwards[3]).not.toHaveProperty('target');
  });

  test('one flag may have several specifications behind it', () => {
    expect(add('m', 'box', '-L', '1:a:2', '3:b:4').forwards.map(({ name }) => name)).toEqual(['m-1', 'm-2']);
    expect(codeOf(() => add('m', 'box', '-L', '1:a:2', '-D', '5', '3:b:4'))).toBe('usage');
  });

  test('-F none stays, --login becomes user and absolute file', () => {
    const [forward] = add('s', 'box', '-D', '1080', '-F', 'none', '--login', 'ops:pw').forwards;
    expect(forward).toMatchObject({ ssh: { configFile: 'none' }, login: { user: 'ops', passwordFile: '/work/pw' } });
    expect(codeOf(() => add('s', 'box', '-L', '1:a:2', '--login', 'ops:pw'))).toBe('usage');
  });

  test.each([
    [['n', 'box'], 'usage'],
    [['n', 'box', '-L', 'nonsense'], 'bad_spec'],
    [['n', 'box', '-L', '70000:a:1'], 'bad_spec'],
    [['bad name', 'box', '-D', '1'], 'bad_value'],
    [['n', '-D', '1', '--', '-oProxyCommand=x'], 'bad_value'],
    [['n', 'box', '-D', '1', '--allow', 'nowhere'], 'bad_value'],
    [['n', 'box', '-D', '1', '--max-flows', '0'], 'bad_value'],
    [['n', 'box', '-D', '1', '--for', '0s'], 'bad_value'],
    [['n', 'box', '-D', '1', '--idle-flow', 'soon'], 'bad_value'],
    [['n', 'box', '-D', '1', '-p', '0'], 'bad_value'],
    [['n', 'box', '-D', '1', '-o', 'nothing'], 'bad_value'],
    [['n', 'box', '-D', '1', '--note', 'two\nlines'], 'bad_value'],
    [['n', 'box', '-D', '1', '--wait', 'long', '--up'], 'bad_value'],
  ])('%j is refused as %s', (words, code) => {
    expect(codeOf(() => add(...words))).toBe(code);
  });

  test.each([
    ['800', 800],
    ['500k', 500_000],
    ['1.5MB/s', 1_500_000],
    ['2Mi', 2_097_152],
  ])('--rate %s is %d', (text, rate) => expect(parseRate(text)).toBe(rate));
  test.each(['', '0', 'k', '-1', '5x', '1e3'])('--rate %j is refused', (text) => {
    expect(codeOf(() => parseRate(text))).toBe('bad_value');
  });
});

describe('map', () => {
  const one = { first: 80, last: 80 };
  test.each([
    ['192.168.1.20', { host: '192.168.1.20', port: 80 }],
    ['host.lan:8080', { host: 'host.lan', port: 8080 }],
    ['[2001:db8::1]:443', { host: '2001:db8::1', port: 443 }],
    ['[2001:db8::1]', { host: '2001:db8::1', port: 80 }],
    ['2001:db8::1', { host: '2001:db8::1', port: 80 }],
    ['AA-BB-CC-DD-EE-0f:22', { host: 'aa-bb-cc-dd-ee-0f', port: 22 }],
    ['aa:bb:cc:dd:ee:0f', { host: 'aa-bb-cc-dd-ee-0f', port: 80 }],
  ])('%s', (text, target) => expect(parseInternal(text, one)).toEqual(target));

  test.each(['', ':80', 'h:0', 'h:x', 'h:1:2', '300.1.1.1', '[h]:1', 'h:80-81', 'a b'])('%j is refused', (text) => {
    expect(codeOf(() => parseInternal(text, one))).toBe('bad_value');
  });

  test('ranges, straight and shifted', () => {
    const range = { first: 8000, last: 8010 };
    expect(parseInternal('h', range).port).toBe(8000);
    expect(parseInternal('h:9000', range).port).toBe(9000);
    expect(parseInternal('h:9000-9010', range).port).toBe(9000);
    expect(codeOf(() => parseInternal('h:9000-9011', range))).toBe('bad_value');
    expect(codeOf(() => parseInternal('h:65530', range))).toBe('bad_value');
  });

  test('the flags become the mapping', () => {
    const words = { name: 'g', external: '25565-25570', internal: '192.168.1.20' };
    const flags = { proto: 'both', via: 'nftables', bind: '0.0.0.0', force: true, session: 'home' };
    expect(readMap(words, flags, place, Forward).forwards).toEqual([
      {
        name: 'g',
        kind: 'mapping',
        session: 'home',
        enabled: false,
        via: 'nftables',
        proto: 'both',
        force: true,
        listen: { address: '0.0.0.0', port: 25565, last: 25570 },
        target: { host: '192.168.1.20', port: 25565 },
      },
    ]);
    expect(codeOf(() => readMap(words, { via: 'pigeon' }, place, Forward))).toBe('bad_value');
    expect(codeOf(() => readMap({ ...words, internal: undefined }, {}, place, Forward))).toBe('usage');
  });
});

describe('trigger', () => {
  test('port sets', () => {
    expect(parsePortSets(['tcp/113,2000,udp/5-6', 'both/9'], '--open')).toEqual([
      { proto: 'tcp', ports: '113,2000' },
      { proto: 'udp', ports: '5-6' },
      { proto: 'both', ports: '9' },
    ]);
    for (const text of ['113', 'sctp/1', 'tcp/', 'tcp/9-8', 'tcp/0', '']) {
      expect(
        codeOf(() => parsePortSets([text], '--on')),
        text,
      ).toBe('bad_value');
    }
  });

  test('the flags become the trigger', () => {
    const flags = {
      on: ['tcp/6660-6669'],
      open: ['tcp/113,udp/2000-2010'],
      from: ['192.168.1.0/24'],
      closeFlows: true,
    };
    expect(readTrigger('irc', { ...flags, second: 'last', maxOpen: '1h' }, place, Forward).forwards).toEqual([
      {
        name: 'irc',
        kind: 'trigger',
        session: 'default',
        enabled: false,
        via: 'relay',
        on: { proto: 'tcp', ports: '6660-6669' },
        open: [
          { proto: 'tcp', ports: '113' },
          { proto: 'udp', ports: '2000-2010' },
        ],
        idle: '10m',
        second: 'last',
        from: ['192.168.1.0/24'],
        maxOpen: '1h',
        closeFlows: true,
      },
    ]);
    expect(codeOf(() => readTrigger('irc', { on: ['tcp/1'] }, place, Forward))).toBe('usage');
  });
});

describe('edit', () => {
  const local = Forward.parse({
    name: 'web',
    kind: 'local',
    host: 'box',
    listen: { port: 1 },
    target: { host: 'a', port: 2 },
  });
  const mapping = Forward.parse({
    name: 'map',
    kind: 'mapping',
    listen: { address: '0.0.0.0', port: 80 },
    target: { host: '10.0.0.2', port: 80 },
  });
  test('only what is named changes; none and --unset clear', () => {
    const flags = { allow: ['none'], rate: '5k', note: '', unset: ['jump,probe'], user: 'me' };
    expect(editPatch(local, [{ kind: 'local', text: '9:b:8' }], flags, place)).toEqual({
      allow: null,
      rate: 5000,
      note: null,
      probe: null,
      listen: { port: 9 },
      target: { host: 'b', port: 8 },
      ssh: { user: 'me', jump: null },
    });
    expect(editPatch(local, [], {}, place)).toEqual({});
  });

  test('a mapping keeps its address, and a target that followed the port goes on following', () => {
    expect(editPatch(mapping, [], { external: '81' }, place)).toEqual({
      listen: { address: '0.0.0.0', port: 81 },
      target: { host: '10.0.0.2', port: 81 },
    });
    expect(editPatch(mapping, [], { unset: ['bind'], via: 'nftables' }, place)).toEqual({
      via: 'nftables',
      listen: { port: 80 },
    });
    expect(editPatch(mapping, [], { internal: '10.0.0.3:8' }, place)).toEqual({
      target: { host: '10.0.0.3', port: 8 },
    });
  });

  test('a flag of another kind is refused, not ignored', () => {
    expect(codeOf(() => editPatch(local, [{ kind: 'dynamic', text: '1' }], {}, place))).toBe('usage');
    expect(codeOf(() => editPatch(local, [], { external: '81' }, place))).toBe('usage');
    expect(codeOf(() => editPatch(mapping, [], { jump: 'x' }, place))).toBe('usage');
    expect(codeOf(() => editPatch(mapping, [{ kind: 'local', text: '1:a:2' }], {}, place))).toBe('usage');
    expect(codeOf(() => editPatch(local, [], { unset: ['name'] }, place))).toBe('usage');
  });
});
