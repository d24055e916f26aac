import type { Settings } from '../../model/config.ts';
import type { Choice } from '../state.ts';
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

const keys = { auto: 'a', dark: 'd', light: 'l', contrast: 'c', ansi: 't', none: 'n' } as const;

/** The settings of the dashboard, changed while it runs; every dashboard on the engine follows at once. */
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
        toggle('r', 'screenReader', 'screen reader', 'sentences instead of a picture, from the next start on'),
      ];
      core.act({ do: 'open', overlay: { is: 'choose', title: 'settings', choices, at: 0 } });
    },
    chooseTheme() {
      const themes = Object.keys(themeHelp) as Settings['theme'][];
      const choices = themes.map(
        (theme): Choice => ({
          key: keys[theme],
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
