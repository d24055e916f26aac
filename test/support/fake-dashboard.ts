// The dashboard over a fake engine, as a program: what the tests run in a real terminal.
//   SCENARIO=workday|empty|crowd:N  FREEZE=1 (time stands still)  QUIET=1 (nothing moves)
//   On SIGUSR2 the engine is gone for a second; with CRASH=1 the program breaks instead.
import { findHome } from '../../src/model/home.ts';
import { askBackground } from '../../src/ui/background.ts';
import { runDashboard } from '../../src/ui/main.ts';
import { createFakeEngine } from './fake-engine.ts';
import { frozenAt } from './frozen.ts';
import { crowd, empty, type Scenario, workday } from './scenario.ts';

const [name = 'workday', size = '300'] = (process.env.SCENARIO ?? 'workday').split(':');
const scenarios: Record<string, () => Scenario> = {
  workday: () => workday,
  empty: () => empty,
  crowd: () => crowd(Number(size)),
};
const scenario = (scenarios[name] ?? scenarios.workday)?.() ?? workday;
const frozen = process.env.FREEZE === '1';
const engine = createFakeEngine({
  scenario: process.env.QUIET === '1' ? { ...scenario, rate: () => ({ rx: 0, tx: 0 }) } : scenario,
  now: frozen ? () => frozenAt : () => Date.now(),
});
if (process.env.NO_PROMPTS === '1') engine.change((before) => ({ ...before, prompts: [] }));
const pulse = setInterval(() => process.env.QUIET !== '1' && !frozen && engine.pulse(), 500);
process.on('SIGUSR2', () => {
  if (process.env.CRASH === '1') throw new Error('as if something were broken');
  engine.kill();
  setTimeout(() => engine.back(), 1000);
});

const code = await runDashboard({
  client: () => engine.connect(),
  home: findHome(process.env),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  background: askBackground(process.env, process.stdin, process.stdout),
  ...(frozen ? { clock: { now: () => frozenAt, after: later } } : {}),
});
clearInterval(pulse);
process.exitCode = code;

function later(ms: number, run: () => void) {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
