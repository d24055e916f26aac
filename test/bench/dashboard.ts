// What the dashboard costs, in a real terminal: first frame, key to frame, processor, bytes at rest, memory. The first
// frame is that of a real engine; else the engine is a scripted one in this process, so that only the dashboard's own work
// is counted.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createFakeEngine } from '../support/fake-engine.ts';
import { serveFake } from '../support/fake-server.ts';
import { program, programHome } from '../support/program.ts';
import { crowd, type Scenario } from '../support/scenario.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';

const columns = 120;
const rows = 40;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs the dashboard on a picture, with rates twice a second while `pulse`. */
async function withDashboard<T>(
  scenario: Scenario,
  pulse: boolean,
  run: (terminal: Terminal) => Promise<T>,
): Promise<T> {
  const engine = createFakeEngine({ scenario, now: () => Date.now() });
  engine.change((before) => ({ ...before, prompts: [] }));
  const server = await serveFake(engine);
  const timer = pulse ? setInterval(engine.pulse, 500) : undefined;
  const terminal = openTerminal(program, [], { columns, rows, env: server.env });
  try {
    return await run(terminal);
  } finally {
    clearInterval(timer);
    terminal.close();
    server.close();
  }
}

/** Processor time of a process so far, in milliseconds. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const residentMb = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

const at = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
const spread = (values: readonly number[]) => {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: at(sorted, 0.5), p95: at(sorted, 0.95) };
};

/** Milliseconds until the program has written something that says this. The wait itself takes no processor. */
function shows(terminal: Terminal, what: RegExp, from: number, start: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`never showed ${what}`)), 10_000);
    const off = terminal.onOutput(() => {
      if (!what.test(terminal.output().slice(from))) return;
      off();
      clearTimeout(timer);
      resolve(performance.now() - start);
    });
  });
}

async function firstFrame(): Promise<string> {
  const home = programHome();
  const times: number[] = [];
  try {
    for (let i = 0; i < 16; i++) await home.run(['map', `web-${i}`, String(20_000 + i), '127.0.0.1:9']);
    for (let i = 0; i < 12; i++) {
      const start = performance.now();
      const terminal = openTerminal(program, [], { columns, rows, env: { SALLYPORT_HOME: home.dir } });
      times.push(await shows(terminal, /web-15/, 0, start));
      // Leaving in good order keeps what was compiled for the next start, as with a person.
      terminal.press('q');
      await terminal.exit();
      terminal.close();
    }
  } finally {
    await home.remove();
  }
  const bare: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    execFileSync(process.execPath, ['-e', '0']);
    bare.push(performance.now() - start);
  }
  const { median } = spread(times);
  return `${median.toFixed(0)} ms (best ${Math.min(...times).toFixed(0)}; bare node ${spread(bare).median.toFixed(0)})`;
}

async function keyToFrame(forwards: number): Promise<string> {
  return withDashboard(crowd(forwards), true, async (terminal) => {
    await terminal.see('svc-0000', 20_000);
    await pause(1500);
    const times: number[] = [];
    for (let i = 0; i < 120; i++) {
      const from = terminal.output().length;
      const start = performance.now();
      terminal.press(i % 2 === 0 ? 'j' : 'k');
      // The cursor's sign is drawn in its new row.
      times.push(await shows(terminal, /▌/, from, start));
      await pause(40 + (i % 7) * 9);
    }
    const { median, p95 } = spread(times);
    return `median ${median.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`;
  });
}

async function processor(forwards: number, pulse: boolean): Promise<string> {
  const scenario: Scenario = pulse ? crowd(forwards) : { ...crowd(forwards), rate: () => ({ rx: 0, tx: 0 }) };
  return withDashboard(scenario, pulse, async (terminal) => {
    await terminal.see('svc-0000', 20_000);
    await pause(3000);
    const [before, bytes, start] = [cpuMs(terminal.pid), terminal.output().length, performance.now()];
    await pause(10_000);
    const seconds = (performance.now() - start) / 1000;
    const share = (cpuMs(terminal.pid) - before) / seconds / 10;
    const perMinute = ((terminal.output().length - bytes) / seconds) * 60;
    return `${share.toFixed(1)} % of a core, ${Math.round(perMinute)} bytes a minute, ${residentMb(terminal.pid).toFixed(0)} MB resident`;
  });
}

export async function run(): Promise<void> {
  console.log(`terminal ${columns}×${rows}`);
  const figures: readonly (readonly [string, () => Promise<string>])[] = [
    ['first frame after exec', firstFrame],
    ['key to frame, 300 forwards with traffic', () => keyToFrame(300)],
    ['key to frame, 1000 forwards with traffic', () => keyToFrame(1000)],
    ['key to frame, 20 forwards with traffic', () => keyToFrame(20)],
    ['100 forwards, rates twice a second', () => processor(100, true)],
    ['100 forwards, nothing moves', () => processor(100, false)],
  ];
  for (const [name, measure] of figures) console.log(`${name.padEnd(42)} ${await measure()}`);
}
