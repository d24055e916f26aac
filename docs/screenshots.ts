// Takes the pictures of README and docs: the dashboard in a real terminal, over a scripted jump server at a fixed
// moment. `npm run screenshots`, or with names: `npm run screenshots -- overview help`.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openTerminal, type Terminal } from '../test/support/terminal.ts';
import { buildFakeDashboard } from '../test/ui/program.ts';
import { looks, missingFonts, toPng, toSvg } from './picture.ts';

const folder = path.join(import.meta.dirname, 'pictures');

/** What is on each picture, and the keys that lead there. */
const scenes: Readonly<Record<string, (terminal: Terminal) => Promise<unknown>>> = {
  overview: async (t) => {
    await t.see('battlenet');
    return t.see(/[▁-▇]{4}/);
  },
  detail: async (t) => {
    t.press('j', 'enter');
    await t.see(/PEER/);
    await t.see('peak');
    await t.lose('peak 0 B/s');
    return t.see('alice');
  },
  form: async (t) => {
    t.press('n', 'l');
    await t.see('new local tunnel');
    t.press('8081', 'tab', 'mail.internal:80', 'tab', 'pr.example.com', 'tab');
    await t.see('leads to');
    return t.see('connect to');
  },
  prompt: async (t) => {
    await t.see('passphrase for the key');
    t.press('correct horse');
    return t.see('*************');
  },
  audit: async (t) => {
    t.press('a');
    return t.see('router lets the world in');
  },
  help: async (t) => {
    t.press('?');
    // The last row is the last to be drawn.
    return t.see('esc close');
  },
};

const missing = missingFonts();
if (missing.length > 0) {
  console.error(`the pictures need the DejaVu fonts (Debian: fonts-dejavu-core); missing: ${missing.join(', ')}`);
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
const program = await buildFakeDashboard();
const wanted = process.argv.slice(2);
for (const [name, prepare] of Object.entries(scenes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const [theme, look] of Object.entries(looks)) {
    for (const [columns, rows] of [
      [80, 24],
      [120, 40],
    ] as const) {
      const env = {
        FREEZE: '1',
        TZ: 'UTC',
        ...(name === 'prompt' ? {} : { NO_PROMPTS: '1' }),
        ...(theme === 'light' ? { COLORFGBG: '0;15' } : {}),
      };
      const terminal = openTerminal(process.execPath, [program.file], { columns, rows, env });
      await terminal.see('sallyport', 20_000);
      if (name !== 'prompt') await terminal.see('intra', 20_000);
      await prepare(terminal);
      await terminal.text();
      const file = path.join(folder, `${name}-${columns}x${rows}-${theme}.png`);
      writeFileSync(file, toPng(toSvg(terminal.screen, look)));
      terminal.close();
      console.log(path.relative(process.cwd(), file));
    }
  }
}
program.remove();
process.exit(0);
