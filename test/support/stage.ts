// The dashboard on a fake engine and a clock that only moves when told: every screen is a matter of the keys pressed.
import { Forward } from '../../src/model/config.ts';
import { asciiGlyphs, type Glyphs, unicodeGlyphs } from '../../src/present/glyphs.ts';
import { type Line, plainText } from '../../src/present/line.ts';
import type { Clock } from '../../src/ui/clock.ts';
import { createDashboard, type Dashboard } from '../../src/ui/dashboard.ts';
import { keysOfText } from '../../src/ui/keys.ts';
import type { Scene } from '../../src/ui/scene.ts';
import { frameLines } from '../../src/ui/screens/screen.ts';
import { createFakeEngine } from './fake-engine.ts';
import { frozenAt } from './frozen.ts';
import { type Scenario, workday } from './scenario.ts';

/** A clock whose timers run when the time is moved past them. */
export function createTestClock(start = frozenAt): Clock & { advance(ms: number): void } {
  let now = start;
  let timers: { at: number; run: () => void }[] = [];
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter((other) => other !== due);
        now = Math.max(now, due.at);
        due.run();
      }
      now = end;
    },
  };
}

export interface Stage {
  readonly dashboard: Dashboard;
  readonly engine: ReturnType<typeof createFakeEngine>;
  readonly clock: ReturnType<typeof createTestClock>;
  readonly copied: string[];
  readonly notified: string[];
  readonly left: () => boolean;
  scene(): Scene;
  lines(): Line[];
  /** The screen as text, without the spaces at the ends of its lines. */
  text(): string;
  /** Presses keys: `'enter'`, `'ctrl+s'`, or typed text after `type`. */
  press(...keys: string[]): Promise<void>;
  type(text: string): Promise<void>;
  paste(text: string): Promise<void>;
  /** Lets answers arrive and timers run. */
  settle(ms?: number): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  stop(): void;
}

export async function openStage({
  scenario = workday as Scenario,
  columns = 120,
  rows = 40,
  glyphs = unicodeGlyphs as Glyphs,
  prompts = false,
  /** The time given to it before anybody looks. */
  openMs = 200,
  schema = Promise.resolve(Forward),
  throwAway = false,
} = {}): Promise<Stage> {
  const clock = createTestClock();
  const engine = createFakeEngine({ scenario, now: clock.now });
  if (!prompts) engine.change((before) => ({ ...before, prompts: [] }));
  const copied: string[] = [];
  const notified: string[] = [];
  let left = false;
  const dashboard = createDashboard({
    connect: () => engine.connect(),
    clock,
    glyphs,
    size: { columns, rows },
    sshHosts: () => ['gate', 'bastion.example.com'],
    schema,
    throwAway,
    terminal: {
      copy: (text) => void copied.push(text),
      notify: (text) => void notified.push(text),
      suspend: () => {},
      quit: () => {
        left = true;
      },
    },
  });
  const settle = async (ms = 50) => {
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(ms / 6);
    }
  };
  const stage: Stage = {
    dashboard,
    engine,
    clock,
    copied,
    notified,
    left: () => left,
    scene: dashboard.scene,
    lines: () => frameLines(dashboard.scene()),
    text: () =>
      frameLines(dashboard.scene())
        .map((line) => plainText(line).trimEnd())
        .join('\n'),
    async press(...keys) {
      for (const key of keys) dashboard.press(key);
      await settle();
    },
    async type(text) {
      for (const key of keysOfText(text)) dashboard.press(key);
      await settle();
    },
    async paste(text) {
      dashboard.paste(text);
      await settle();
    },
    settle,
    async resize(width, height) {
      dashboard.resize(width, height);
      await settle();
    },
    stop: dashboard.stop,
  };
  await settle(openMs);
  return stage;
}

export { asciiGlyphs };
