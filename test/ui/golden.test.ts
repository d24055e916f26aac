// Every view and dialog at four sizes, as text and as roles, at one fixed moment. UPDATE_GOLDEN=1 writes them anew.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { textWidth } from '../../src/present/line.ts';
import { frozenAt } from '../support/frozen.ts';
import { empty, unknownHostKey, workday } from '../support/scenario.ts';
import { asciiGlyphs, openStage, type Stage } from '../support/stage.ts';

const folder = path.join(import.meta.dirname, '..', 'golden');
const sizes = [
  [40, 12],
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

type Options = NonNullable<Parameters<typeof openStage>[0]>;

interface Shot {
  readonly options?: Options;
  readonly prepare?: (stage: Stage) => Promise<void>;
}

const select = (stage: Stage, name: string) => async () => {
  await stage.press('g');
  for (let i = 0; i < 40 && stage.scene().forward?.name !== name; i++) await stage.press('j');
};
const at = (name: string, ...keys: string[]) => ({
  prepare: async (stage: Stage) => {
    await select(stage, name)();
    for (const key of keys) await stage.press(key);
  },
});
const keys = (...list: string[]) => ({
  prepare: async (stage: Stage) => {
    for (const key of list) await stage.press(key);
  },
});

const shots: Readonly<Record<string, Shot>> = {
  overview: {},
  'overview-ascii': { options: { glyphs: asciiGlyphs } },
  'overview-empty': { options: { scenario: empty } },
  'overview-filter': {
    prepare: async (stage) => {
      await stage.press('/');
      await stage.type('state:failed');
    },
  },
  'overview-marks': keys('v', 'v', 's', 's', 's'),
  'detail-local': at('web', 'enter'),
  'detail-retrying': at('ldap', 'enter', 'tab'),
  'detail-failed-config': at('registry', 'enter', 'tab', 'tab', 'tab'),
  'detail-mapping-command': at('minecraft', 'enter', 'tab', 'tab', 'tab', 'tab'),
  'detail-trigger': at('irc', 'enter'),
  flows: keys('f', 'j'),
  events: keys('l'),
  hosts: keys('h', 'j'),
  audit: keys('a'),
  'audit-warnings': {
    options: {
      scenario: {
        ...workday,
        warnings: [
          {
            code: 'time_skew',
            level: 'low',
            message: 'the clock of this machine is not kept by anybody',
            hint: 'run a time service',
          },
          {
            code: 'foreign_flush',
            level: 'high',
            message: 'another program flushed the kernel rules of 2 mappings',
            hint: 'sallyport doctor says which',
          },
        ],
      },
    },
    prepare: (stage) => stage.press('a'),
  },
  network: keys('w'),
  'network-silent': {
    options: {
      scenario: {
        ...workday,
        router: {
          gateway: '192.168.1.1',
          protocols: [],
          externalAddress: null,
          mappings: [],
          model: null,
          warning: 'it answers neither PCP nor NAT-PMP nor UPnP: switch one on in its settings',
        },
      },
    },
    prepare: (stage) => stage.press('w'),
  },
  days: keys('t', 'j'),
  'detail-days': at('web', 'enter', 'tab', 'tab'),
  sessions: keys('S'),
  help: keys('?'),
  palette: {
    prepare: async (stage) => {
      await stage.press(':');
      await stage.type('gra');
    },
  },
  new: keys('n'),
  settings: keys(','),
  'settings-probe': keys(',', 'p'),
  'form-local': {
    prepare: async (stage) => {
      await stage.press('n', 'l');
      await stage.type('8080\twiki.internal:80\tpr.\t');
      await stage.settle(400);
    },
  },
  'form-mapping-more': {
    prepare: async (stage) => {
      await stage.press('n', 'm', 'tab');
      await stage.type('70000\t');
      await stage.press('ctrl+o');
      await stage.settle(400);
    },
  },
  'form-trigger': {
    prepare: async (stage) => {
      await stage.press('n', 't');
      await stage.type('tcp/6660-6669\ttcp/113\t');
      await stage.settle(400);
    },
  },
  'form-trigger-more': {
    prepare: async (stage) => {
      await stage.press('n', 't', 'ctrl+o', 'tab');
      await stage.type('tcp/6660-6669\ttcp/113\t\t\t\t192.168.1.0/24\t\tla\t2h\t');
      await stage.settle(400);
    },
  },
  'edit-mapping': at('cameras', 'e'),
  'confirm-delete': at('web', 'd'),
  'confirm-kill': at('web', 'enter', 'x'),
  'ask-session': keys('m'),
  'prompt-passphrase': { options: { prompts: true }, prepare: (stage) => stage.type('secret') },
  'prompt-host-key': {
    prepare: async (stage) => {
      stage.engine.change((before) => ({
        ...before,
        prompts: [unknownHostKey((ms) => new Date(ms).toISOString(), frozenAt)],
      }));
      await stage.settle();
      await stage.type('ye');
    },
  },
  paused: keys('p'),
  'engine-stopped': {
    prepare: async (stage) => {
      stage.engine.stop();
      await stage.settle();
    },
  },
  'engine-gone': {
    prepare: async (stage) => {
      stage.engine.kill();
      await stage.settle();
    },
  },
};

/** One letter for each role, so that the colours of a screen are a text as well. */
const letters = {
  plain: ' ',
  dim: 'd',
  good: 'g',
  busy: 'y',
  ask: 'o',
  bad: 'r',
  accent: 'a',
  rx: 'v',
  tx: '^',
  frame: '.',
  title: 't',
  head: 'h',
  key: 'k',
  input: 'i',
} as const;

const roles = (stage: Stage) =>
  stage
    .lines()
    .map((line) =>
      line
        .map(({ text, role, back }) => {
          const letter = back === 'cursor' ? '#' : letters[role];
          return (back === 'select' ? letter.toUpperCase().replace(' ', '_') : letter).repeat(textWidth(text));
        })
        .join('')
        .trimEnd(),
    )
    .join('\n');

let stage: Stage | null = null;

beforeAll(() => {
  process.env.TZ = 'UTC';
  mkdirSync(folder, { recursive: true });
});
afterEach(() => stage?.stop());

describe.each(Object.entries(shots))('%s', (name, { options = {}, prepare }) => {
  test.each(sizes)('at %i×%i', async (columns, rows) => {
    stage = await openStage({ ...options, columns, rows });
    await prepare?.(stage);
    const text = stage.text();
    const lines = text.split('\n');
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns);
    const files = {
      [`${name}-${columns}x${rows}.txt`]: text,
      ...(columns === 80 ? { [`${name}-roles.txt`]: roles(stage) } : {}),
    };
    for (const [file, content] of Object.entries(files)) {
      const full = path.join(folder, file);
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(full, `${content}\n`);
      expect(`${content}\n`).toBe(readFileSync(full, 'utf8'));
    }
  });
});
