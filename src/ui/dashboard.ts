// The dashboard without a screen: takes keys, talks to the engine, and has a scene for whoever draws it.
import type { Client } from '../client/client.ts';
import type { ForwardSchema } from '../model/config.ts';
import { toFailure } from '../model/errors.ts';
import { forwardStates } from '../model/state.ts';
import { asciiGlyphs, type Glyphs } from '../present/glyphs.ts';
import type { ColourRole } from '../present/states.ts';
import { type Actions, createActions } from './actions/actions.ts';
import type { Core, TerminalDoor } from './actions/core.ts';
import type { Clock } from './clock.ts';
import { watchEngine } from './engine.ts';
import { type Intent, perform, startedBy } from './intents.ts';
import { engineMissing } from './keymap/binding.ts';
import { bindingFor, keymap } from './keymap/keymap.ts';
import type { KeyName } from './keys.ts';
import { startingAnew, stillPutOff } from './put-off.ts';
import { createResources } from './resources.ts';
import { createSamples } from './samples.ts';
import { type Context, makeScene, type Scene, ticks, wantsOf } from './scene.ts';
import { type Action, initialState, reduce, type UiState } from './state.ts';
import { createTyping } from './typing.ts';

export interface Dashboard {
  /** The same object until something changes. */
  scene(): Scene;
  subscribe(listener: () => void): () => void;
  press(key: KeyName): void;
  paste(text: string): void;
  resize(columns: number, rows: number): void;
  stop(): void;
}

export interface DashboardOptions {
  readonly connect: () => Promise<Client>;
  readonly clock: Clock;
  readonly glyphs: Glyphs;
  readonly size: { readonly columns: number; readonly rows: number };
  readonly terminal: TerminalDoor;
  /** Host names from the person's ssh configuration, read when a form asks for a host. */
  readonly sshHosts: () => readonly string[];
  /** What a form's forward is checked by. It may come after the first frame, for it takes as long to make. */
  readonly schema: Promise<ForwardSchema>;
  /** Engine and home end with it. */
  readonly throwAway?: boolean;
}

const toastMs = 5000;
const tickMs = 1000;
/** Changes of the picture closer together than this are drawn once. */
const coalesceMs = 30;
/** A prompt that comes up while somebody types does not take the keys meant for something else. */
const promptGraceMs = 600;

const typingContexts: ReadonlySet<Context> = new Set(['filter', 'ask', 'palette', 'form', 'prompt']);

export function createDashboard(options: DashboardOptions): Dashboard {
  const { clock, terminal } = options;
  const listeners = new Set<() => void>();
  const samples = createSamples();
  const resources = createResources(() => changed());
  let ui: UiState = initialState;
  let size = options.size;
  let scene: Scene | null = null;
  let held: { picture: Scene['picture']; now: number } | null = null;
  let stopped = false;
  let cancelToast = () => {};
  let cancelTick: (() => void) | null = null;
  let cancelNotify: (() => void) | null = null;
  let graceUntil = 0;
  let failed: ReadonlySet<string> | null = null;

  const current = (): Scene => {
    if (scene !== null) return scene;
    const picture = held?.picture ?? engine.picture();
    scene = makeScene({
      ui,
      connection: engine.connection(),
      picture,
      paused: held !== null,
      throwAway: options.throwAway === true,
      now: held?.now ?? clock.now(),
      size,
      glyphs: picture?.snapshot.settings.ascii === true ? asciiGlyphs : options.glyphs,
      samples,
      resources,
    });
    return scene;
  };
  const notify = () => {
    cancelNotify?.();
    cancelNotify = null;
    if (stopped) return;
    settle();
    for (const listener of [...listeners]) listener();
  };
  /**
   * Something to show has changed: drawn soon, together with what else changes until then. What the first frame shows is
   * not held up: one answer leads to the next question, and each would wait its turn.
   */
  const changed = () => {
    scene = null;
    if (stopped || cancelNotify !== null) return;
    cancelNotify = clock.after(samples.seeded(null) ? coalesceMs : 0, () => {
      cancelNotify = null;
      notify();
    });
  };
  /** What follows from a new scene: questions to the engine, the tick, a warning. */
  const settle = () => {
    const now = current();
    const { connection, prompt } = now;
    if (connection.is === 'connected') {
      const wants = wantsOf(now);
      resources.want(connection.client, wants, clock.now());
      for (const want of wants) {
        if (want.what !== 'history') continue;
        const { value } = resources.get({ ...want, what: 'history' });
        const fits = want.forward === null ? want.range === '5m' : want.range === '1m';
        if (value !== null && fits && !samples.seeded(want.forward)) {
          samples.seed(want.forward, value);
          changed();
        }
      }
    }
    if (ui.prompt !== null && ui.prompt.id !== prompt?.id) core.set({ prompt: null });
    const wanted = ticks(now);
    if (wanted && cancelTick === null) cancelTick = clock.after(tickMs - (clock.now() % tickMs), tick);
    if (!wanted && cancelTick !== null) {
      cancelTick();
      cancelTick = null;
    }
    warn(now);
  };
  const tick = () => {
    cancelTick = null;
    const picture = engine.picture();
    if (picture !== null) samples.take(clock.now(), picture.counters);
    scene = null;
    notify();
  };
  /** Rings once for every forward that has come to fail since the last look. */
  const warn = ({ views, picture }: Scene) => {
    if (picture === null) return;
    const now = new Set(views.filter(({ state }) => state === 'failed').map(({ name }) => name));
    const fresh = failed === null ? [] : [...now].filter((name) => failed?.has(name) === false);
    failed = now;
    if (fresh.length === 0 || !picture.snapshot.settings.notify) return;
    const [name] = fresh;
    const why = views.find((view) => view.name === name)?.error?.message ?? forwardStates[5];
    terminal.notify(fresh.length === 1 ? `sallyport: ${name} failed: ${why}` : `sallyport: ${fresh.length} failed`);
  };

  const core: Core = {
    scene: current,
    clock,
    terminal,
    sshHosts: options.sshHosts,
    schema: options.schema,
    act(action: Action) {
      const next = reduce(ui, action);
      if (next === ui) return;
      ui = next;
      changed();
    },
    set: (patch) => core.act({ do: 'set', patch }),
    say(text: string, role: ColourRole = 'plain') {
      cancelToast();
      core.set({ toast: { text, role } });
      // What went wrong stays until somebody has seen it: the next key takes it away.
      if (role !== 'bad') cancelToast = clock.after(toastMs, () => core.set({ toast: null }));
    },
    client() {
      const connection = engine.connection();
      if (connection.is === 'connected') return connection.client;
      core.say(engineMissing(connection), 'bad');
      return null;
    },
    perform(intent: Intent) {
      switch (intent.do) {
        case 'go':
          return core.act({ do: 'go', view: intent.view });
        case 'form':
          return actions.openForm(intent.kind, intent.edit);
        case 'paste-ssh':
          return actions.askSshLine();
        case 'choose-theme':
          return actions.chooseTheme();
        case 'ask-setting':
          return actions.askSetting(intent.setting);
        case 'fill-ssh':
          return actions.fillFromSsh(intent.line);
        case 'binding':
          return runBinding(intent.id);
        default: {
          const client = core.client();
          if (client === null) return;
          core.set({ putOff: startingAnew(ui.putOff, startedBy(intent, current().views)) });
          perform(client, intent).then(
            (done) => core.say(done, 'good'),
            (error: unknown) => {
              const { message, hint } = toFailure(error);
              core.say(hint === '' ? message : `${message}; ${hint}`, 'bad');
            },
          );
        }
      }
    },
  };
  const actions: Actions = createActions(core, {
    togglePause() {
      held = held === null ? { picture: engine.picture(), now: clock.now() } : null;
      changed();
    },
    retryEngine: () => engine.retry(),
  });
  const runBinding = (id: string, key?: KeyName) => {
    const binding = keymap.find((one) => one.id === id);
    if (binding === undefined) return;
    const able = binding.enabled(current());
    if (able === true) binding.run(actions, key ?? binding.keys[0] ?? '');
    else core.say(able, 'busy');
  };

  const engine = watchEngine(
    options.connect,
    {
      onChange() {
        const before = scene;
        const wasTyping = before !== null && typingContexts.has(before.context);
        changed();
        if (ui.putOff.size > 0) {
          const { picture, views } = current();
          if (picture !== null) core.set({ putOff: stillPutOff(ui.putOff, picture.snapshot, views) });
        }
        if (wasTyping && before.prompt === null && current().prompt !== null) graceUntil = clock.now() + promptGraceMs;
      },
      onCounters() {
        const picture = engine.picture();
        if (picture !== null) samples.take(clock.now(), picture.counters);
      },
      onGap: () => resources.renew(),
      onEvent: (event) => resources.event(event),
    },
    clock,
  );

  const typing = createTyping(core, actions);

  return {
    scene: current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    press(key) {
      const { context } = current();
      const prompted = context === 'prompt' || context === 'hostkey';
      if (prompted && clock.now() < graceUntil && key !== 'ctrl+c') return;
      if (ui.toast !== null) {
        cancelToast();
        core.set({ toast: null });
      }
      const binding = bindingFor(context, key);
      if (binding === null) typing.type(key);
      else runBinding(binding.id, key);
      notify();
    },
    paste(text) {
      typing.paste(text);
      notify();
    },
    resize(columns, rows) {
      if (columns === size.columns && rows === size.rows) return;
      size = { columns, rows };
      scene = null;
      notify();
    },
    stop() {
      stopped = true;
      cancelToast();
      cancelTick?.();
      cancelNotify?.();
      engine.stop();
      listeners.clear();
    },
  };
}
