// A real terminal around a program: a PTY, and an emulator that keeps the grid of cells. Reads like its user: press,
// see, select.
import pty from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { until } from './until.ts';

export interface Terminal {
  /** The emulator itself, for cells and modes. */
  readonly screen: InstanceType<typeof xterm.Terminal>;
  readonly pid: number;
  /** All bytes the program has written. */
  output(): string;
  /** Called whenever it has written more; returns the way to unsubscribe. */
  onOutput(listener: () => void): () => void;
  lines(): Promise<string[]>;
  text(): Promise<string>;
  press(...keys: string[]): void;
  paste(text: string): void;
  /** Waits until the screen has this; gives the screen back. */
  see(what: string | RegExp, timeoutMs?: number): Promise<string>;
  /** Waits until the screen has it no more. */
  lose(what: string | RegExp, timeoutMs?: number): Promise<string>;
  /** Moves the cursor to the row with this text. */
  select(row: string): Promise<void>;
  resize(columns: number, rows: number): void;
  signal(name: string): void;
  exit(): Promise<{ exitCode: number; signal?: number | undefined }>;
  close(): void;
}

const sequences: Readonly<Record<string, string>> = {
  enter: '\r',
  esc: '\u001b',
  tab: '\t',
  'shift+tab': '\u001b[Z',
  space: ' ',
  up: '\u001b[A',
  down: '\u001b[B',
  right: '\u001b[C',
  left: '\u001b[D',
  home: '\u001b[H',
  end: '\u001b[F',
  pageup: '\u001b[5~',
  pagedown: '\u001b[6~',
  backspace: '\u007f',
  delete: '\u001b[3~',
};

/** What a terminal sends for a key. */
export function keyBytes(key: string): string {
  const control = /^ctrl\+([a-z])$/.exec(key)?.[1];
  if (control !== undefined) return String.fromCharCode(control.charCodeAt(0) - 96);
  return sequences[key] ?? key;
}

// Under CI=true Ink takes no terminal for interactive, and the runner's own variables are none of the program's.
const stripped = /^(CI|CONTINUOUS_INTEGRATION|NO_COLOR|FORCE_COLOR|NODE_ENV|VITEST.*|TEST|COLORFGBG)$/;

export function openTerminal(
  file: string,
  args: readonly string[],
  {
    columns = 120,
    rows = 40,
    env = {} as Record<string, string>,
    cwd = process.cwd(),
    /** The colour the terminal says its background has, as `rgb:ffff/ffff/ffff`; null: it does not know the question. */
    background = null as string | null,
  } = {},
): Terminal {
  const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 0, allowProposedApi: true });
  const inherited = Object.entries(process.env).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && !stripped.test(pair[0]),
  );
  const child = pty.spawn(file, [...args], {
    name: 'xterm-256color',
    cols: columns,
    rows,
    cwd,
    env: { ...Object.fromEntries(inherited), TERM: 'xterm-256color', COLORTERM: 'truecolor', LANG: 'C.UTF-8', ...env },
  });
  let output = '';
  const listeners = new Set<() => void>();
  child.onData((data) => {
    output += data;
    screen.write(data);
    for (const listener of [...listeners]) listener();
  });
  screen.onData((data) => child.write(data));
  screen.parser.registerOscHandler(11, (asked) => {
    if (asked === '?' && background !== null) child.write(`\u001b]11;${background}\u001b\\`);
    return true;
  });
  const exited = new Promise<{ exitCode: number; signal?: number | undefined }>((resolve) => {
    child.onExit(resolve);
  });
  let over = false;
  void exited.then(() => {
    over = true;
  });
  const lines = async () => {
    await new Promise<void>((resolve) => screen.write('', resolve));
    const { active } = screen.buffer;
    return Array.from(
      { length: screen.rows },
      (_, y) => active.getLine(active.viewportY + y)?.translateToString(true, 0, screen.cols) ?? '',
    );
  };
  const text = async () => (await lines()).join('\n');
  const has = (shown: string, what: string | RegExp) =>
    typeof what === 'string' ? shown.includes(what) : what.test(shown);
  const wait = async (name: string, test: (shown: string) => boolean, timeoutMs: number) => {
    let shown = '';
    try {
      return await until(
        name,
        async () => {
          shown = await text();
          return test(shown) ? shown || ' ' : null;
        },
        { timeoutMs, everyMs: 15 },
      );
    } catch (cause) {
      throw new Error(`waited ${timeoutMs} ms for ${name}; the screen:\n${shown}`, { cause });
    }
  };
  return {
    screen,
    pid: child.pid,
    output: () => output,
    onOutput(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    lines,
    text,
    press(...keys) {
      for (const key of keys) child.write(keyBytes(key));
    },
    paste: (pasted) => child.write(`\u001b[200~${pasted}\u001b[201~`),
    see: (what, timeoutMs = 10_000) => wait(String(what), (shown) => has(shown, what), timeoutMs),
    lose: (what, timeoutMs = 10_000) => wait(`no ${what}`, (shown) => !has(shown, what), timeoutMs),
    async select(row) {
      // The thing the row is about: its rates change by themselves, and that is no move of the cursor.
      const named = /▌\s*(?:[^\w\s]\s+)?(\S+)/;
      const cursor = async () =>
        (await lines()).map((line) => named.exec(line)?.[1]).find((name) => name !== undefined);
      const line = async () => (await lines()).find((text) => text.includes('▌'));
      /** Where the cursor is once the keys that were pressed have all had their effect. */
      const settled = async () => {
        for (let last = await cursor(); ; ) {
          await new Promise((resolve) => setTimeout(resolve, 80));
          const now = await cursor();
          if (now === last) return now;
          last = now;
        }
      };
      child.write('g');
      let before = await settled();
      for (let i = 0; i < 400; i++) {
        if ((await line())?.includes(row)) return;
        child.write('j');
        const passed = before;
        await until('the cursor to move', async () => (await cursor()) !== passed, { timeoutMs: 10_000, everyMs: 10 });
        before = await settled();
      }
      throw new Error(`no row with ${row}`);
    },
    resize(width, height) {
      child.resize(width, height);
      screen.resize(width, height);
    },
    signal: (name) => child.kill(name),
    exit: () => exited,
    close() {
      if (!over) child.kill('SIGKILL');
      screen.dispose();
    },
  };
}
