import { describe, expect, test } from 'vitest';
import { Forward } from '../../src/model/config.ts';
import { noCounters } from '../../src/model/flow.ts';
import { commandOf } from '../../src/present/command.ts';
import { explain, explainEnd } from '../../src/present/explain.ts';
import { asciiGlyphs, glyphsFor, unicodeGlyphs } from '../../src/present/glyphs.ts';
import { niceCeiling, sparkline } from '../../src/present/graph.ts';
import { engineAge } from '../../src/present/header.ts';
import { formatShort } from '../../src/present/quantity.ts';
import { keymap } from '../../src/ui/keymap/keymap.ts';
import { keysOfText } from '../../src/ui/keys.ts';
import { createSamples } from '../../src/ui/samples.ts';
import { chooseTheme } from '../../src/ui/theme.ts';

const rules: readonly (readonly [string, Record<string, unknown>, readonly string[], string])[] = [
  [
    'local',
    {
      kind: 'local',
      name: 'a',
      host: 'h',
      listen: { port: 8080 },
      target: { host: 'x', port: 80 },
      ssh: { jump: 'j', identities: ['/k y'] },
    },
    ["ssh -N -L 8080:x:80 -J j -i '/k y' h"],
    'port 8080 of this machine leads to x:80 as h sees it; only programs on this machine can connect',
  ],
  [
    'local, open to all',
    {
      kind: 'local',
      name: 'a',
      host: 'h',
      listen: { address: '*', port: 8080 },
      target: { host: 'x', port: 80 },
      allow: ['10.0.0.0/8'],
    },
    ["ssh -N -L '*:8080:x:80' h"],
    'port 8080 of this machine leads to x:80 as h sees it; everybody who reaches this machine can connect, but only 10.0.0.0/8 may connect',
  ],
  [
    'remote SOCKS',
    { kind: 'remote', name: 'a', host: 'h', listen: { port: 1080 } },
    ['ssh -N -R 1080 h'],
    'port 1080 of h is a SOCKS proxy that leaves from this machine; only programs on h can connect',
  ],
  [
    'dynamic',
    { kind: 'dynamic', name: 'a', host: 'h', listen: { address: '192.168.1.5', port: 1080 } },
    ['ssh -N -D 192.168.1.5:1080 h'],
    'port 1080 of 192.168.1.5 on this machine is a SOCKS proxy that leaves from h; everybody on the local network can connect',
  ],
  [
    'mapping',
    {
      kind: 'mapping',
      name: 'a',
      via: 'nftables',
      proto: 'both',
      listen: { port: 8000, last: 8003 },
      target: { host: '192.168.1.9', port: 9000 },
    },
    [
      'nft add rule ip nat prerouting tcp dport 8000-8003 dnat to 192.168.1.9:9000-9003',
      'nft add rule ip nat prerouting udp dport 8000-8003 dnat to 192.168.1.9:9000-9003',
    ],
    "TCP and UDP ports 8000 to 8003 of this machine lead to 192.168.1.9:9000-9003, passed on by this machine's kernel; everybody who reaches this machine can connect",
  ],
  [
    'mapping on the router',
    { kind: 'mapping', name: 'a', via: 'router', listen: { port: 2222 }, target: { host: '192.168.1.2', port: 22 } },
    ['upnpc -a @ 22 2222 tcp'],
    'TCP port 2222 of the router leads to 192.168.1.2:22, passed on by the router and then by this machine; everybody who reaches the router can connect',
  ],
  [
    'trigger',
    {
      kind: 'trigger',
      name: 'irc',
      on: { proto: 'tcp', ports: '6667' },
      open: [{ proto: 'tcp', ports: '113' }],
      idle: '5m',
    },
    ['sallyport trigger irc --on tcp/6667 --open tcp/113 --via relay --idle 5m'],
    'when a host inside calls out to TCP 6667 through a forward of this program, TCP 113 opens towards it on 127.0.0.1 until nothing moved for 5m; a second host waits until it is closed; only programs on this machine can connect',
  ],
  [
    'trigger in the kernel, with all it can have',
    {
      kind: 'trigger',
      name: 'game',
      via: 'nftables',
      on: { proto: 'udp', ports: '27950' },
      open: [
        { proto: 'both', ports: '27960' },
        { proto: 'tcp', ports: '80-90' },
      ],
      idle: '10m',
      second: 'last',
      from: ['192.168.1.0/24'],
      to: ['203.0.113.0/24'],
      maxOpen: '2h',
      closeFlows: true,
      allow: ['198.51.100.0/24'],
      maxFlows: 5,
    },
    [
      'sallyport trigger game --on udp/27950 --open both/27960,tcp/80-90 --via nftables --idle 10m --second last --from 192.168.1.0/24 --to 203.0.113.0/24 --max-open 2h --close-flows --allow 198.51.100.0/24 --max-flows 5',
    ],
    'when a host in 192.168.1.0/24 calls out to UDP 27950 in 203.0.113.0/24 through this machine, TCP and UDP 27960 and TCP 80-90 open towards it on the outside of this machine until nothing moved for 10m, or for 2h at most; a second host takes it over; what still runs when it closes is cut; everybody who reaches this machine can connect, but only 198.51.100.0/24 may connect, at most 5 at a time',
  ],
  [
    'trigger for some hosts',
    {
      kind: 'trigger',
      name: 'irc',
      on: { proto: 'tcp', ports: '6667' },
      open: [{ proto: 'tcp', ports: '113' }],
      from: ['192.168.1.20/32', '10.0.0.0/8', '2001:db8::7'],
      to: ['203.0.113.7'],
      rate: 2_000_000,
      idleFlow: '10m',
    },
    [
      'sallyport trigger irc --on tcp/6667 --open tcp/113 --via relay --idle 10m --from 192.168.1.20/32 --from 10.0.0.0/8 --from 2001:db8::7 --to 203.0.113.7 --rate 2000000 --idle-flow 10m',
    ],
    'when 192.168.1.20 or a host in 10.0.0.0/8 or 2001:db8::7 calls out to TCP 6667 at 203.0.113.7 through a forward of this program, TCP 113 opens towards it on 127.0.0.1 until nothing moved for 10m; a second host waits until it is closed; only programs on this machine can connect, but at most 2 MB/s each way, no longer than 10m without traffic',
  ],
  [
    'trigger on the far side',
    {
      kind: 'trigger',
      name: 'ftp',
      via: 'remote',
      on: { proto: 'tcp', ports: '21' },
      open: [{ proto: 'tcp', ports: '50000-50010' }],
      idle: '5m',
      bind: '*',
    },
    ["sallyport trigger ftp --on tcp/21 --open tcp/50000-50010 --via remote --idle 5m --bind '*'"],
    'when a host inside calls out to TCP 21 through a forward of this program, TCP 50000-50010 open towards it on the SSH server it went over until nothing moved for 5m; a second host waits until it is closed; everybody who reaches that server can connect',
  ],
];

test.each(rules)('%s as a command and as a sentence', (_, given, commands, sentence) => {
  const forward = Forward.parse(given);
  expect(commandOf(forward)).toEqual(commands);
  expect(explain(forward)).toBe(sentence);
});

test.each([
  [{ proxyProtocol: true }, ', passed on by this program, which tells it who connects; '],
  [{ via: 'nftables', masquerade: true }, ", passed on by this machine's kernel, which hides from it who connects; "],
])('what a mapping with %j lets its target know', (more, words) => {
  const web = { kind: 'mapping', name: 'web', listen: { port: 80 }, target: { host: '192.168.1.20', port: 80 } };
  expect(explain(Forward.parse({ ...web, ...more }))).toContain(words);
});

test('an end is told while it is to come', () => {
  const web = { kind: 'local', name: 'web', host: 'box', listen: { port: 1 }, target: { host: 'web', port: 80 } };
  const until = '2026-11-22T13:45:00.000Z';
  const end = Date.parse(until);
  expect(explainEnd(Forward.parse(web), end)).toBe('');
  expect(explainEnd(Forward.parse({ ...web, until }), end - 1)).toContain('goes down by itself at');
  expect(explainEnd(Forward.parse({ ...web, until }), end)).toBe('');
});

test('amounts, ages and scales', () => {
  expect([0, 999, 1000, 999_600, 12_345_678].map(formatShort)).toEqual(['0', '999', '1.0k', '1.0M', '12.3M']);
  const now = Date.parse('2026-11-22T12:00:00Z');
  expect(engineAge('2026-11-22T11:30:00Z', now)).toBe('<1h');
  expect(engineAge('2026-11-19T07:00:00Z', now)).toBe('3d 05h');
  expect([0, 7, 11, 88.1e6].map(niceCeiling)).toEqual([0, 8, 15, 100e6]);
  expect(sparkline([0, 1, 2, 4], 6)).toBe('   ▂▄▇');
});

describe('themes', () => {
  test.each([
    ['auto', {}, 24, 'dark'],
    ['auto', { COLORFGBG: '0;15' }, 8, 'light'],
    ['dark', { NO_COLOR: '1' }, 24, 'none'],
    ['light', { NO_COLOR: '' }, 24, 'light'],
    ['dark', {}, 4, 'ansi'],
    ['contrast', {}, 4, 'contrast'],
    ['auto', {}, 1, 'none'],
  ] as const)('%s with %o and %i bits is %s', (setting, env, depth, name) => {
    expect(chooseTheme(setting, env, depth)).toBe(name);
  });
});

test('a piece of input falls apart into its keys', () => {
  expect(keysOfText('jj\r\t \u007fG\u0004é')).toEqual([
    'j',
    'j',
    'enter',
    'tab',
    'space',
    'backspace',
    'G',
    'ctrl+d',
    'é',
  ]);
});

test('no key has two meanings in one place', () => {
  const seen = new Map<string, string>();
  for (const { id, keys, contexts } of keymap) {
    for (const context of contexts) {
      for (const key of keys) {
        expect(seen.get(`${context} ${key}`), `${key} in ${context}: ${id}`).toBeUndefined();
        seen.set(`${context} ${key}`, id);
      }
    }
  }
});

test('samples hold a rate until it changes, and fall silent a window after the last', () => {
  const samples = createSamples();
  const counters = (rxRate: number) => ({ a: { ...noCounters, rxRate } });
  samples.take(0, counters(0));
  samples.take(10_000, counters(100));
  samples.take(13_000, counters(0));
  expect(samples.minute('a')).toEqual([100, 100, 100]);
  expect(samples.total().rx.slice(-4)).toEqual([0, 100, 100, 100]);
  expect(samples.moving()).toBe(true);
  samples.take(400_000, counters(0));
  expect(samples.minute('a')).toEqual([]);
  expect(samples.moving()).toBe(false);
});

test('a seed gives the minute its past', () => {
  const samples = createSamples();
  samples.seed('a', { stepMs: 10_000, end: '', rx: [0, 0, 0, 0, 5, 7], tx: [0, 0, 0, 0, 0, 1] });
  expect(samples.minute('a')).toHaveLength(60);
  expect(samples.minute('a').slice(-11)).toEqual([5, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]);
});

test('signs are drawn where the locale and the fonts have them', () => {
  expect(glyphsFor({ LANG: 'de_DE.UTF-8', TERM: 'xterm-256color' })).toBe(unicodeGlyphs);
  expect(glyphsFor({ LC_ALL: 'C', LANG: 'de_DE.UTF-8', TERM: 'xterm' })).toBe(asciiGlyphs);
  expect(glyphsFor({ LANG: 'de_DE.UTF-8', TERM: 'linux' })).toBe(asciiGlyphs);
});
