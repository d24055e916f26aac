import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { colours } from '../../src/cli/paint.ts';
import { viewTable } from '../../src/cli/views.ts';
import { Forward } from '../../src/model/config.ts';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { forwardLayout, forwardLine } from '../../src/present/forwards.ts';
import { unicodeGlyphs } from '../../src/present/glyphs.ts';
import { renderTable, shorten } from '../../src/present/table.ts';

const now = new Date('2026-11-22T13:45:00.000Z');
const base: ForwardView = {
  name: 'intra',
  kind: 'local',
  session: 'default',
  host: 'pr.example.com',
  via: 'ssh2',
  desired: 'up',
  state: 'up',
  listen: '127.0.0.1:8080',
  target: 'intra.example.com:80',
  rx: 18_231,
  tx: 912,
  rxRate: 1_200_000,
  txRate: 14_000,
  flows: 3,
  flowsTotal: 4,
  since: '2026-11-22T13:00:00.000Z',
  nextTry: null,
  error: null,
  opened: [],
  note: '',
};
const views: ForwardView[] = [
  base,
  {
    ...base,
    name: 'db',
    host: 'db-jump',
    state: 'retrying',
    listen: '127.0.0.1:5432',
    target: 'db:5432',
    flows: 0,
    rxRate: 0,
    txRate: 0,
    nextTry: '2026-11-22T13:45:04.000Z',
    error: { code: 'host_refused', message: 'connection\u001b[31m refused', hint: '' },
  },
  { ...base, name: 'office', kind: 'dynamic', state: 'off', target: null, flows: 0, rxRate: 0, txRate: 0 },
];
const plain = colours(false);

test('everything is shown where there is room', () => {
  expect(viewTable(views, null, plain, now).join('\n')).toMatchInlineSnapshot(`
    "NAME    STATE       KIND     LISTEN          HOST            TARGET                       ▼        ▲  FLOWS  REASON
    intra   ● up        local    127.0.0.1:8080  pr.example.com  intra.example.com:80  1.2 MB/s  14 kB/s      3
    db      ◌ retrying  local    127.0.0.1:5432  db-jump         db:5432                18.2 kB    912 B      0  retry in 4s: connection refused
    office  ○ off       dynamic  127.0.0.1:8080  pr.example.com  any                    18.2 kB    912 B      0"
  `);
});

test('at 80 columns no line is wider, and the reason stays', () => {
  const lines = viewTable(views, 80, plain, now);
  expect(lines.join('\n')).toMatchInlineSnapshot(`
    "NAME    STATE       LISTEN                 ▼        ▲  FLOWS  REASON
    intra   ● up        127.0.0.1:8080  1.2 MB/s  14 kB/s      3
    db      ◌ retrying  127.0.0.1:5432   18.2 kB    912 B      0  retry in 4s: conn…
    office  ○ off       127.0.0.1:8080   18.2 kB    912 B      0"
  `);
  for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(80);
});

test('every width from 60 on is kept to', () => {
  for (let width = 60; width < 200; width++) {
    for (const line of viewTable(views, width, colours(true), now))
      expect(stringWidth(line), line).toBeLessThanOrEqual(width);
  }
});

test('wide characters count as two, and a cut never leaves half of one', () => {
  expect(shorten('日本語テキスト', 7)).toBe('日本語…');
  expect(shorten('short', 5)).toBe('short');
  const lines = renderTable(
    [
      { title: 'A', min: 4 },
      { title: 'B', align: 'right' },
    ],
    [
      ['日本語テ', '1'],
      ['x', '22'],
    ],
    { width: 10 },
  );
  expect(lines.map((line) => stringWidth(line))).toEqual([9, 10, 10].map((n) => Math.max(n, 10)));
});

test('control sequences from outside never reach the terminal', () => {
  const [, line] = renderTable([{ title: 'A' }], [['x\u001b]0;title\u0007\u001b[2Jy\nz']], { width: null });
  expect(line).toBe('xy z');
});

test.each([
  [['192.168.1.20', '192.168.1.20'], '192.168.1.20 ▕████'],
  [['192.168.1.20', '2001:db8::20'], '192.168.1.20 +1 ▕███'],
])('a trigger open for %j says who holds it', (hosts, shown) => {
  const config = Forward.parse({
    kind: 'trigger',
    name: 'irc',
    via: 'nftables',
    on: { proto: 'tcp', ports: '6667' },
    open: [{ proto: 'both', ports: '113' }],
    idle: '10m',
  });
  const opened = hosts.map((host, i) => ({
    proto: (['tcp', 'udp'] as const)[i] ?? 'tcp',
    ports: '113',
    host,
    expiresAt: '2026-11-22T13:55:00.000Z',
  }));
  const rows = [{ view: { ...base, kind: 'trigger' as const, opened }, config, samples: [] }];
  const layout = forwardLayout('triggers', rows, 120, 5, now.getTime(), unicodeGlyphs);
  const [line = []] = rows.map((row) => forwardLine('triggers', layout, row, now.getTime(), unicodeGlyphs));
  expect(line.map(({ text }) => text).join('')).toContain(shown);
});
