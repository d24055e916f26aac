import os from 'node:os';
import type { ReadStream, WriteStream } from 'node:tty';
import type { SuspendTerminal } from 'ink';
import type { Client } from '../client/client.ts';
import type { ForwardSchema, Settings } from '../model/config.ts';
import type { Home } from '../model/home.ts';
import { glyphsFor } from '../present/glyphs.ts';
import { safeText } from '../present/sanitize.ts';
import type { Background } from './background.ts';
import { type Clock, systemClock } from './clock.ts';
import { createDashboard, type Dashboard } from './dashboard.ts';
import { drawFirstFrame, leaveFirstFrame } from './first-frame.ts';
import type { Mounted } from './mount.tsx';
import { createPainter, type Painter } from './paint.ts';
import { themeOf } from './scene.ts';
import { frameLines } from './screens/screen.ts';
import { sshHostNames } from './ssh-hosts.ts';
import { chooseTheme, themes } from './theme.ts';

export interface DashboardProgram {
  /** Connects to the engine; called again when it has died. */
  readonly client: () => Promise<Client>;
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  /** What the terminal says of itself, if it was asked; the first frame waits for it. */
  readonly background?: Promise<Background | null>;
  readonly clock?: Clock;
  /** Engine and home end with the dashboard, as a demo's do. */
  readonly throwAway?: boolean;
}

/** How long the first frame may wait for the engine's picture, so that it is not one that says "connecting". */
const firstPictureMs = 120;

/**
 * Shows the dashboard until the person leaves or a signal comes. The terminal is left as it was found, whatever
 * ends it.
 * @returns the exit code: 0, or 128 and the signal's number
 */
export async function runDashboard(options: DashboardProgram): Promise<number> {
  const { env, stdin, stdout } = options;
  const done = Promise.withResolvers<number>();
  const schema = Promise.withResolvers<ForwardSchema>();
  let suspendTerminal: SuspendTerminal | null = null;
  let drawNow = () => {};
  const dashboard = createDashboard({
    connect: options.client,
    clock: options.clock ?? systemClock,
    glyphs: glyphsFor(env),
    size: { columns: stdout.columns || 80, rows: stdout.rows || 24 },
    sshHosts: () => sshHostNames(env.HOME || os.homedir()),
    schema: schema.promise,
    throwAway: options.throwAway === true,
    terminal: {
      copy: (text) => void stdout.write(`\u001b]52;c;${Buffer.from(text).toString('base64')}\u0007`),
      notify: (text) => void stdout.write(`\u0007\u001b]9;${safeText(text)}\u0007`),
      suspend: () => void suspend(),
      quit: () => done.resolve(0),
    },
  });
  /** Stops the whole job, as the terminal's own ctrl+z would; comes back when the shell continues it. */
  const suspend = async () => {
    await suspendTerminal?.(async () => {
      process.off('SIGTSTP', onStop);
      process.kill(0, 'SIGTSTP');
      // A stopped process has no time passing: this ends once it goes on again, or at once where nothing stops it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.on('SIGTSTP', onStop);
    });
  };
  const onStop = () => void suspend();
  // Ink draws what it has as soon as it hears of a new size. That must be the frame of that size by then: one that is
  // too wide would wrap, scroll the screen and stay there in pieces. So this listens before Ink does.
  const onResize = () => {
    dashboard.resize(stdout.columns || 80, stdout.rows || 24);
    drawNow();
  };
  const onHangup = () => done.resolve(129);
  const onCrash = (error: unknown) => done.reject(error);
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const handlers = Object.entries(signals).map(([signal, code]) => [signal, () => done.resolve(code)] as const);

  stdout.on('resize', onResize);
  stdout.on('error', onHangup);
  stdin.on('error', onHangup);
  stdin.on('end', onHangup);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  process.on('SIGTSTP', onStop);
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);

  const [background] = await Promise.all([options.background ?? null, pictureOr(dashboard, firstPictureMs)]);
  const painter = (theme: Settings['theme']) => painterFor(theme, env, stdout, background);
  const reader = wantsReader(dashboard, env);
  let app: Mounted | null = null;
  try {
    if (!reader) {
      // What is typed meanwhile is for Ink, and not to be shown.
      stdin.setRawMode(true);
      const scene = dashboard.scene();
      drawFirstFrame(stdout, frameLines(scene).map(painter(themeOf(scene))));
    }
    const { mount } = await import('./mount.tsx');
    app = mount({
      stdin,
      stdout,
      reader,
      dashboard,
      painter,
      onSuspendable: (given) => {
        suspendTerminal = given;
      },
    });
    drawNow = app.drawNow;
    import('../model/config.ts').then(({ Forward }) => schema.resolve(Forward), schema.reject);
    return await Promise.race([done.promise, app.waitUntilExit().then(() => 0)]);
  } finally {
    dashboard.stop();
    if (app === null) {
      leaveFirstFrame(stdout);
      stdin.setRawMode(false);
    } else {
      app.unmount();
      await app.waitUntilExit().catch(() => {});
      app.cleanup();
    }
    stdout.off('resize', onResize);
    stdin.off('end', onHangup);
    for (const [signal, handler] of handlers) process.off(signal, handler);
    process.off('SIGTSTP', onStop);
    process.off('uncaughtException', onCrash);
    process.off('unhandledRejection', onCrash);
    stdin.unref();
  }
}

function painterFor(
  setting: Settings['theme'],
  env: NodeJS.ProcessEnv,
  stdout: WriteStream,
  background: Background | null,
): Painter {
  const depth = stdout.isTTY ? stdout.getColorDepth(env) : 1;
  return createPainter(themes[chooseTheme(setting, env, depth, background)], depth);
}

function wantsReader(dashboard: Dashboard, env: NodeJS.ProcessEnv): boolean {
  return env.INK_SCREEN_READER === 'true' || dashboard.scene().picture?.snapshot.settings.screenReader === true;
}

/** Waits for the first picture, but not for long. */
function pictureOr(dashboard: Dashboard, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      off();
      resolve();
    };
    const timer = setTimeout(finish, ms);
    const off = dashboard.subscribe(() => {
      const { picture, samples } = dashboard.scene();
      if (picture !== null && samples.seeded(null)) finish();
    });
  });
}
