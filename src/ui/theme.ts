// What each role looks like. The only place with colours.
import type { Settings } from '../model/config.ts';
import type { Role, Segment } from '../present/line.ts';

/** A palette index of 16 colours, or `#rrggbb`. */
type Colour = number | `#${string}`;

export interface Style {
  readonly fg?: Colour;
  readonly bg?: Colour;
  readonly bold?: boolean;
  readonly inverse?: boolean;
}

export interface Theme {
  readonly roles: Readonly<Record<Role, Style>>;
  readonly backs: Readonly<Record<NonNullable<Segment['back']>, Style>>;
}

export type ThemeName = Exclude<Settings['theme'], 'auto'>;

export const themes: Readonly<Record<ThemeName, Theme>> = {
  dark: {
    roles: {
      plain: {},
      dim: { fg: '#8a90a8' },
      good: { fg: '#9fdc9a' },
      busy: { fg: '#f2d58a' },
      ask: { fg: '#ffae70' },
      bad: { fg: '#ff8098' },
      accent: { fg: '#86b4ff' },
      rx: { fg: '#6fdccb' },
      tx: { fg: '#cda4ff' },
      frame: { fg: '#4a4f66' },
      title: { fg: '#d8deef' },
      head: { fg: '#7d84a0' },
      key: { fg: '#86b4ff' },
      input: { fg: '#ffffff' },
    },
    backs: { select: { bg: '#2c3350' }, cursor: { inverse: true } },
  },
  light: {
    roles: {
      plain: {},
      dim: { fg: '#5f6875' },
      good: { fg: '#1a7f37' },
      busy: { fg: '#8a5a00' },
      ask: { fg: '#b34700' },
      bad: { fg: '#c4122b' },
      accent: { fg: '#0757ba' },
      rx: { fg: '#00736b' },
      tx: { fg: '#7a36d4' },
      frame: { fg: '#b9c0ca' },
      title: { fg: '#1c232c' },
      head: { fg: '#66707e' },
      key: { fg: '#0757ba' },
      input: { fg: '#000000' },
    },
    backs: { select: { bg: '#d7e6fb' }, cursor: { inverse: true } },
  },
  contrast: {
    roles: {
      plain: { bold: true },
      dim: {},
      good: { fg: 10, bold: true },
      busy: { fg: 11, bold: true },
      ask: { fg: 13, bold: true },
      bad: { fg: 9, bold: true },
      accent: { fg: 14, bold: true },
      rx: { fg: 14, bold: true },
      tx: { fg: 13, bold: true },
      frame: {},
      title: { bold: true },
      head: {},
      key: { fg: 14, bold: true },
      input: { bold: true },
    },
    backs: { select: { inverse: true }, cursor: { inverse: true } },
  },
  ansi: {
    roles: {
      plain: {},
      dim: { fg: 8 },
      good: { fg: 2 },
      busy: { fg: 3 },
      ask: { fg: 5 },
      bad: { fg: 1 },
      accent: { fg: 4 },
      rx: { fg: 6 },
      tx: { fg: 5 },
      frame: { fg: 8 },
      title: { bold: true },
      head: { fg: 8 },
      key: { fg: 4 },
      input: {},
    },
    backs: { select: { inverse: true }, cursor: { inverse: true } },
  },
  none: {
    roles: {
      plain: {},
      dim: {},
      good: {},
      busy: {},
      ask: { bold: true },
      bad: { bold: true },
      accent: {},
      rx: {},
      tx: {},
      frame: {},
      title: { bold: true },
      head: {},
      key: { bold: true },
      input: {},
    },
    backs: { select: { inverse: true }, cursor: { inverse: true } },
  },
};

/** Whether the terminal says its background is light (COLORFGBG, set by rxvt, Konsole and others). */
function lightBackground(env: NodeJS.ProcessEnv): boolean {
  const background = Number((env.COLORFGBG ?? '').split(';').at(-1) || Number.NaN);
  return background === 7 || background === 15;
}

/**
 * The theme to draw with.
 * @param depth bits of colour the terminal has: 1, 4, 8 or 24
 * @param background what the terminal said of itself, if it said anything
 */
export function chooseTheme(
  setting: Settings['theme'],
  env: NodeJS.ProcessEnv,
  depth: number,
  background: 'light' | 'dark' | null = null,
): ThemeName {
  if (setting === 'none' || (env.NO_COLOR ?? '') !== '' || depth === 1) return 'none';
  if (setting === 'contrast') return 'contrast';
  if (setting === 'ansi' || depth === 4) return 'ansi';
  if (setting !== 'auto') return setting;
  return background ?? (lightBackground(env) ? 'light' : 'dark');
}
