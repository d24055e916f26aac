// The dashboard in a real terminal, over a fake engine: what only a terminal can show.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { openTerminal, type Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';
import { buildFakeDashboard } from './program.ts';

let program = '';
let open: Terminal[] = [];

beforeAll(async () => {
  const built = await buildFakeDashboard();
  program = built.file;
  return built.remove;
});
afterEach(() => {
  for (const terminal of open) terminal.close();
  open = [];
});

function start(options: Parameters<typeof openTerminal>[2] = {}): Terminal {
  const { env = {}, ...rest } = options;
  const terminal = openTerminal(process.execPath, [program], {
    columns: 100,
    rows: 30,
    ...rest,
    env: { NO_PROMPTS: '1', ...env },
  });
  open.push(terminal);
  return terminal;
}

/** The main screen, a visible cursor, no bracketed paste: as it was found. */
async function expectRestored(terminal: Terminal) {
  await terminal.text();
  expect(terminal.screen.buffer.active.type).toBe('normal');
  expect(terminal.screen.modes.bracketedPasteMode).toBe(false);
  const shows = terminal.output().lastIndexOf('\u001b[?25h');
  expect(shows).toBeGreaterThan(terminal.output().lastIndexOf('\u001b[?25l'));
}

test('draws on the other screen, and leaves with q and code 0', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  expect(terminal.screen.buffer.active.type).toBe('alternate');
  terminal.press('q');
  expect((await terminal.exit()).exitCode).toBe(0);
  await expectRestored(terminal);
});

test('the first frame is drawn once, and what comes after goes on from it', async () => {
  const terminal = start({ env: { FREEZE: '1', QUIET: '1' } });
  await terminal.see('minecraft');
  // Keys count only once the rest of the program is read.
  terminal.press('?');
  await terminal.see('help · overview');
  const first = terminal.output().split('help · overview')[0] ?? '';
  expect(first.split('minecraft')).toHaveLength(2);
  expect(first.split('\u001b[?1049h')).toHaveLength(2);
  terminal.press('esc');
  await terminal.lose('help · overview');
  const again = start({ env: { FREEZE: '1', QUIET: '1' } });
  await again.see('minecraft');
  expect(await terminal.lines()).toEqual(await again.lines());
});

test('another size right after the first frame leaves nothing of it', async () => {
  const terminal = start({ env: { FREEZE: '1', QUIET: '1' } });
  await terminal.see('minecraft');
  terminal.resize(80, 24);
  const other = start({ columns: 80, rows: 24, env: { FREEZE: '1', QUIET: '1' } });
  await other.see('minecraft');
  const wanted = (await other.lines()).join('\n');
  await until('the frame of the other size', async () => (await terminal.lines()).join('\n') === wanted);
});

test.each([
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGINT', 130],
])('%s leaves the terminal as found', async (signal, code) => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.signal(signal);
  expect((await terminal.exit()).exitCode).toBe(code);
  await expectRestored(terminal);
});

test('ctrl+c leaves from a form as well', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.press('n', 'l');
  await terminal.see('new local tunnel');
  terminal.press('ctrl+c');
  expect((await terminal.exit()).exitCode).toBe(0);
  await expectRestored(terminal);
});

test('keys that arrive in one read each count', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.press('jjj\r');
  await terminal.see(/grafana · local tunnel/);
  terminal.press('\u001b[B\u001b[Bf');
  await terminal.see(/flows · \d+/);
});

test('the selected row has a background of its own and readable text', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  await terminal.select('postgres');
  const lines = await terminal.lines();
  const y = lines.findIndex((line) => line.includes('postgres'));
  const cell = terminal.screen.buffer.active.getLine(y)?.getCell(6);
  expect(cell?.isBgRGB()).toBe(true);
  expect(cell?.isDim()).toBe(0);
});

test.each([
  ['rgb:fafa/fbfb/fcfc', '5f6875'],
  ['rgb:1111/1111/1111', '8a90a8'],
  [null, '8a90a8'],
])('a terminal whose background is %s gets the theme for it', async (background, dim) => {
  const terminal = start({ background });
  await terminal.see('minecraft');
  const y = (await terminal.lines()).findIndex((line) => line.includes('q leave'));
  const x = (await terminal.lines())[y]?.indexOf('leave') ?? 0;
  expect(terminal.screen.buffer.active.getLine(y)?.getCell(x)?.getFgColor().toString(16)).toBe(dim);
});

test('an answer about the background that comes late presses no keys', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.press('\u001b]11;rgb:ffff/ffff/ffff\u001b\\');
  terminal.press('\u001b[?1;2c');
  terminal.press('j');
  await terminal.see(/▌● web/);
  expect(await terminal.text()).toContain('minecraft');
});

test('what is typed before the first frame is not lost', async () => {
  const terminal = start();
  terminal.press('j', 'j');
  await terminal.see(/▌● postgres/);
});

test('NO_COLOR is obeyed', async () => {
  const terminal = start({ env: { NO_COLOR: '1' } });
  await terminal.see('minecraft');
  await terminal.see(/[▁-▇]{3}/);
  expect(terminal.output()).not.toMatch(/\u001b\[[\d;]*(?:3[0-9]|4[0-9]|38|48|9[0-7])[;m]/);
});

test('without UTF-8 it draws with ASCII alone', async () => {
  const terminal = start({ env: { LANG: 'C', LC_ALL: 'C' } });
  await terminal.see('minecraft');
  expect(await terminal.text()).toMatch(/^[\x20-\x7e\n]*$/);
});

test('a storm of resizes ends in a whole screen', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  for (let i = 0; i < 40; i++) terminal.resize(40 + ((i * 37) % 120), 12 + ((i * 13) % 40));
  terminal.resize(90, 26);
  await terminal.see('minecraft');
  await until('one header and one footer', async () => {
    const lines = await terminal.lines();
    const edges = lines.filter((line) => /^[╭╰│]/.test(line));
    return (
      lines[0]?.includes('sallyport') === true &&
      lines.filter((line) => line.includes('sallyport')).length === 1 &&
      lines[25]?.includes('q leave') === true &&
      edges.every((line) => line.length === 90)
    );
  });
  terminal.resize(39, 11);
  await terminal.see('sallyport needs 40x12');
  terminal.resize(80, 24);
  await terminal.see('minecraft');
});

test('a resized terminal shows what one of that size shows from the start', async () => {
  // Nothing moves: what a frame of the wrong size leaves behind is not painted over by the next.
  const env = { FREEZE: '1', NO_COLOR: '1' };
  const audit = async (columns: number, rows: number) => {
    const terminal = start({ columns, rows, env });
    await terminal.see('minecraft');
    terminal.press('a');
    await terminal.see(/╭ audit · 6/);
    return terminal;
  };
  const picture = async (terminal: Terminal) => (await terminal.lines()).map((line) => line.trimEnd());
  const sizes = [
    [122, 40],
    [121, 40],
    [80, 24],
    [81, 24],
    [80, 25],
  ] as const;
  const fresh: string[][] = [];
  for (const [columns, rows] of sizes) fresh.push(await picture(await audit(columns, rows)));
  const resized = await audit(121, 40);
  for (let round = 0; round < 3; round++) {
    for (const [i, [columns, rows]] of sizes.entries()) {
      resized.resize(columns, rows);
      await expect.poll(() => picture(resized), { timeout: 10_000 }).toEqual(fresh[i]);
    }
  }
});

test('an engine that dies is named, waited for and found again', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.signal('SIGUSR2');
  await terminal.see('engine gone');
  await terminal.see('minecraft');
  await terminal.lose('engine gone');
});

test('a crash leaves the terminal as found, and says what broke', async () => {
  const terminal = start({ env: { CRASH: '1' } });
  await terminal.see('minecraft');
  terminal.signal('SIGUSR2');
  expect((await terminal.exit()).exitCode).toBe(1);
  await expectRestored(terminal);
  await terminal.see('as if something were broken');
});

test('pasted text is text, and an ssh line fills the form', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.paste('qqq');
  await terminal.see('nothing here takes pasted text');
  terminal.paste('ssh -N -L 9090:intra.corp:80 alice@gate.example.net');
  await terminal.see('new local tunnel');
  await terminal.see('alice@gate.example.net');
  await terminal.see('port 9090 of this machine leads to intra.corp:80');
});

test('a tunnel is defined, its flow ended, deleted and brought back, by keys alone', async () => {
  const terminal = start({ columns: 120, rows: 50 });
  await terminal.see('minecraft');
  terminal.press('n', 'l');
  await terminal.see('new local tunnel');
  terminal.press('9999', 'tab', 'mail.internal:25', 'tab', 'pr.example.com', 'enter');
  await terminal.see('127.0.0.1:9999 belongs to scratch');
  terminal.press('shift+tab', 'shift+tab', 'ctrl+u', '2525', 'enter');
  await terminal.see('mail is defined');
  await terminal.see(/▌. mail +local +127\.0\.0\.1:2525/);
  await terminal.select('web');
  terminal.press('enter');
  await terminal.see(/▌ 127\.0\.0\.1:\d+/);
  await terminal.see('4 · sort age');
  terminal.press('x');
  await terminal.see('end this flow?');
  terminal.press('y');
  await terminal.see('3 · sort age');
  terminal.press('esc');
  await terminal.see('NAT mappings');
  await terminal.select('mail');
  terminal.press('d');
  await terminal.see('delete mail?');
  terminal.press('y');
  await terminal.lose(/mail +local/);
  terminal.press('u');
  await terminal.see(/mail +local +127\.0\.0\.1:2525/);
});

test('a passphrase is asked for over the view, hidden, and can be put off', async () => {
  const terminal = start({ env: { NO_PROMPTS: '' } });
  await terminal.see('passphrase for the key');
  terminal.press('esc');
  await terminal.lose('passphrase for the key');
  await terminal.select('office');
  terminal.press('enter');
  await terminal.see('passphrase for the key');
  terminal.press('hunter2');
  await terminal.see('*******');
  expect(await terminal.text()).not.toContain('hunter2');
  terminal.press('enter');
  await terminal.lose('passphrase for the key');
  await terminal.see(/● office/);
});

test('the command goes to the clipboard of the terminal', async () => {
  const terminal = start();
  await terminal.see('minecraft');
  terminal.press('enter');
  await terminal.see('PEER');
  terminal.press('y');
  await terminal.see('on the clipboard');
  const copied = /\u001b\]52;c;([A-Za-z0-9+/=]+)\u0007/.exec(terminal.output())?.[1] ?? '';
  expect(Buffer.from(copied, 'base64').toString()).toBe('ssh -N -L 127.0.0.1:8080:intra.example.com:80 pr.example.com');
});

test('ctrl+z hands the terminal to the shell, fg brings the dashboard back', async () => {
  const terminal = openTerminal('bash', ['--norc', '-i'], {
    columns: 100,
    rows: 30,
    env: { NO_PROMPTS: '1', PS1: 'shell> ' },
  });
  open.push(terminal);
  await terminal.see('shell>');
  terminal.press(`${process.execPath} ${program}`, 'enter');
  await terminal.see('minecraft');
  terminal.press('ctrl+z');
  await terminal.see('Stopped');
  expect(terminal.screen.buffer.active.type).toBe('normal');
  terminal.press('fg', 'enter');
  await terminal.see('minecraft');
  expect(terminal.screen.buffer.active.type).toBe('alternate');
  terminal.press('j');
  await terminal.see(/▌● web/);
  terminal.press('q');
  await terminal.see(/shell> $/m);
});

test('a screen reader gets sentences', async () => {
  const terminal = start({ env: { INK_SCREEN_READER: 'true' } });
  await terminal.see('selected intra: up. local tunnel');
  terminal.press('j');
  await terminal.see('selected web: up. local tunnel');
  terminal.press('q');
  expect((await terminal.exit()).exitCode).toBe(0);
});
