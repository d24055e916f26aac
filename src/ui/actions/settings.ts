import type { Settings } from '../../model/config.ts';
import { someTime } from '../../model/duration.ts';
import { SallyportError } from '../../model/errors.ts';
import type { AskPurpose, Choice } from '../state.ts';
import { fieldOf } from '../text-field.ts';
import type { Core } from './core.ts';

/** What each theme is good for, in the order they are offered. */
const themeHelp: Readonly<Record<Settings['theme'], string>> = {
  auto: 'dark or light, as the terminal says',
  dark: 'for a dark background',
  light: 'for a light background',
  contrast: 'the strongest of the 16 colours',
  ansi: "the terminal's own 16 colours",
  none: 'no colours at all',
};

const themeKeys = { auto: 'a', dark: 'd', light: 'l', contrast: 'c', ansi: 't', none: 'n' } as const;

/** A setting whose value is typed. */
export type TypedSetting = 'refreshMs' | 'probe' | 'keepaliveSeconds' | 'keepaliveCount' | 'workers' | 'metrics';

interface Typed {
  readonly key: string;
  readonly label: string;
  readonly help: string;
  /** What is asked, and how it is written. */
  readonly ask: string;
  /** From when it counts; nothing where that is at once. */
  readonly from: string;
  readonly show: (value: unknown) => string;
  /** @throws SallyportError `bad_value`; what else is wrong, the engine says */
  readonly read: (text: string) => unknown;
}

function whole(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new SallyportError('bad_value', `"${text}" is not a whole number`);
  return Number(text);
}
const orOff = (read: (text: string) => unknown) => (text: string) => (text === 'off' ? false : read(text));
const offOr = (value: unknown) => (value === false ? 'off' : String(value));

const forNewConnections = 'for new connections';
const afterRestart = 'after sallyport engine restart';

const typed: Readonly<Record<TypedSetting, Typed>> = {
  refreshMs: {
    key: 'u',
    label: 'rates every',
    help: 'so many ms; the screen shows new ones',
    ask: 'milliseconds, 100 to 10000',
    from: '',
    show: String,
    read: whole,
  },
  probe: {
    key: 'p',
    label: 'probe every',
    help: 'each way end to end; for what is started anew',
    ask: '30s, 5m or off',
    from: 'for what is started from now on',
    show: offOr,
    read: orOff(someTime),
  },
  keepaliveSeconds: {
    key: 's',
    label: 'keepalive every',
    help: 'so many seconds; for new SSH connections',
    ask: 'seconds, 1 to 3600, where ssh_config says nothing',
    from: forNewConnections,
    show: String,
    read: whole,
  },
  keepaliveCount: {
    key: 'd',
    label: 'dead after',
    help: 'so many unanswered; for new SSH connections',
    ask: 'unanswered keepalives, 1 to 100',
    from: forNewConnections,
    show: String,
    read: whole,
  },
  workers: {
    key: 'w',
    label: 'threads',
    help: 'carry the traffic; after an engine restart',
    ask: '1 to 64 or auto',
    from: afterRestart,
    show: String,
    read: (text) => (text === 'auto' ? text : whole(text)),
  },
  metrics: {
    key: 'm',
    label: 'metrics',
    help: 'for Prometheus; after an engine restart',
    ask: 'an address of loopback, 127.0.0.1:9464, or off',
    from: afterRestart,
    show: offOr,
    read: orOff((text) => text),
  },
};

/**
 * The patch that a typed answer comes to, and what to say when it is saved.
 * @throws SallyportError `bad_value`
 */
export function readSetting(setting: TypedSetting, text: string): { patch: Partial<Settings>; done: string } {
  const { label, from, read } = typed[setting];
  return { patch: { [setting]: read(text) }, done: `${label}: ${text}${from === '' ? '' : `, ${from}`}` };
}

/** The settings, changed while it runs; every dashboard on the engine follows at once. */
export function settingsActions(core: Core) {
  /** Nothing is known of them before the engine has answered. */
  const current = (): Partial<Settings> => core.scene().picture?.snapshot.settings ?? {};
  const toggle = (key: string, what: 'ascii' | 'notify' | 'screenReader', label: string, help: string): Choice => {
    const on = current()[what] ?? false;
    const done = `${label}: ${on ? 'off' : 'on'}`;
    return {
      key,
      label: `${label}: ${on ? 'on' : 'off'}`,
      help,
      intent: { do: 'settings', patch: { [what]: !on }, done },
    };
  };
  const value = (setting: TypedSetting): string => {
    const now = current()[setting];
    return now === undefined ? '' : typed[setting].show(now);
  };
  return {
    chooseSetting() {
      const choices: readonly Choice[] = [
        {
          key: 't',
          label: `theme: ${current().theme ?? 'auto'}`,
          help: 'the colours',
          intent: { do: 'choose-theme' },
        },
        toggle('a', 'ascii', 'ASCII only', 'for fonts and terminals without the other signs'),
        toggle('b', 'notify', 'bell', 'ring and notify the desktop when a forward fails'),
        toggle('r', 'screenReader', 'screen reader', 'sentences, not a picture; from the next start'),
        ...(Object.keys(typed) as TypedSetting[]).map((setting): Choice => {
          const { key, label, help } = typed[setting];
          return { key, label: `${label}: ${value(setting)}`, help, intent: { do: 'ask-setting', setting } };
        }),
      ];
      core.act({ do: 'open', overlay: { is: 'choose', title: 'settings', choices, at: 0 } });
    },
    askSetting(setting: TypedSetting) {
      const { label, ask, from } = typed[setting];
      const hint = from === '' ? ask : `${ask}; counts ${from}`;
      const purpose: AskPurpose = { for: 'setting', setting };
      core.act({
        do: 'open',
        overlay: { is: 'ask', title: 'settings', label, field: fieldOf(value(setting)), hint, purpose },
      });
    },
    chooseTheme() {
      const themes = Object.keys(themeHelp) as Settings['theme'][];
      const choices = themes.map(
        (theme): Choice => ({
          key: themeKeys[theme],
          label: theme,
          help: themeHelp[theme],
          intent: { do: 'settings', patch: { theme }, done: `theme: ${theme}` },
        }),
      );
      const at = themes.indexOf(current().theme ?? 'auto');
      core.act({ do: 'open', overlay: { is: 'choose', title: 'theme', choices, at } });
    },
  };
}
