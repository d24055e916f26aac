import { describe, expect, test } from 'vitest';
import { Mapping, type PortSet, Trigger } from '../../src/model/config.ts';
import { parseDuration } from '../../src/model/duration.ts';
import { SallyportError } from '../../src/model/errors.ts';
import { namePattern } from '../../src/model/names.ts';
import { parsePortList, portsOverlap, transports } from '../../src/model/ports.ts';
import { findPreset, presetCategories, presetMappings, presets } from '../../src/model/presets.ts';
import { findTriggerPreset, triggerPresets } from '../../src/model/trigger-presets.ts';

const overlaps = (sets: readonly PortSet[]) => {
  const ranges = sets.flatMap(({ proto, ports }) =>
    transports(proto).flatMap((transport) => parsePortList(ports).map((range) => ({ transport, ...range }))),
  );
  return ranges.some((a, i) => ranges.slice(i + 1).some((b) => a.transport === b.transport && portsOverlap(a, b)));
};

describe('mapping presets', () => {
  test('there are enough of them, in every category, each once', () => {
    expect(presets.length).toBeGreaterThanOrEqual(40);
    expect(new Set(presets.map((preset) => preset.name)).size).toBe(presets.length);
    expect(new Set(presets.map((preset) => preset.category))).toEqual(new Set(presetCategories));
  });

  test.each(presets.map((preset) => [preset.name, preset] as const))('%s is sound', (name, preset) => {
    expect(name).toMatch(namePattern);
    expect(name).toBe(name.toLowerCase());
    expect(preset.source).not.toBe('');
    expect(overlaps(preset.ports)).toBe(false);
    for (const mapping of presetMappings(preset, 'x', '192.168.1.20')) {
      expect(() => Mapping.parse(mapping)).not.toThrow();
    }
  });

  test('the ones people ask for first', () => {
    const portsOf = (name: string) => findPreset(name).ports;
    expect(portsOf('minecraft')).toEqual([{ proto: 'tcp', ports: '25565' }]);
    expect(portsOf('wireguard')).toEqual([{ proto: 'udp', ports: '51820' }]);
    expect(portsOf('rdp')).toEqual([{ proto: 'both', ports: '3389' }]);
  });

  test('one with second ports says what it needs', () => {
    for (const [name, helper] of [
      ['ftp', 'ftp'],
      ['sip', 'sip'],
      ['h323', 'h323'],
      ['tftp', 'tftp'],
      ['pptp', 'pptp'],
    ] as const) {
      expect(findPreset(name).note).toContain(`helper ${helper}`);
    }
  });

  test('several port sets make several mappings', () => {
    expect(presetMappings(findPreset('minecraft'), 'mc', 'nas')).toEqual([
      { kind: 'mapping', name: 'mc', proto: 'tcp', listen: { port: 25_565 }, target: { host: 'nas', port: 25_565 } },
    ]);
    expect(presetMappings(findPreset('steam-remote-play'), 'play', 'pc')).toEqual([
      {
        kind: 'mapping',
        name: 'play-1',
        proto: 'udp',
        listen: { port: 27_031, last: 27_036 },
        target: { host: 'pc', port: 27_031 },
      },
      { kind: 'mapping', name: 'play-2', proto: 'tcp', listen: { port: 27_036 }, target: { host: 'pc', port: 27_036 } },
    ]);
  });

  test('a mistyped name suggests the nearest', () => {
    expect(findPreset('Minecraft').name).toBe('minecraft');
    expect(() => findPreset('minecraf')).toThrow(SallyportError);
    try {
      findPreset('minecraf');
    } catch (error) {
      expect(error).toMatchObject({ code: 'not_found', hint: expect.stringContaining('minecraft') });
    }
    expect(() => findPreset('qqqqqqqqqqqqqqq')).toThrow(
      expect.objectContaining({ hint: 'sallyport presets lists them' }),
    );
  });
});

describe('trigger presets', () => {
  test('each once', () => {
    expect(new Set(triggerPresets.map((preset) => preset.name)).size).toBe(triggerPresets.length);
    expect(findTriggerPreset('irc-ident').open).toEqual([{ proto: 'tcp', ports: '113' }]);
  });

  test.each(triggerPresets.map((preset) => [preset.name, preset] as const))('%s is sound', (name, preset) => {
    const { on, open, idle } = preset;
    expect(() => Trigger.parse({ kind: 'trigger', name, on, open, idle })).not.toThrow();
    expect(parseDuration(idle)).toBeGreaterThanOrEqual(60_000);
    expect(overlaps(on)).toBe(false);
    expect(overlaps(open)).toBe(false);
    expect(preset.source).not.toBe('');
  });
});
