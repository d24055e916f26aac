import { toFailure } from '../../model/errors.ts';
import { namePattern, nameRule } from '../../model/names.ts';
import type { Overlay } from '../state.ts';
import { insertText } from '../text-field.ts';
import { helpReach } from '../widgets/help/view.ts';
import { helpSize } from '../widgets/overlay.ts';
import { paletteEntries, searchPalette } from '../widgets/palette/entries.ts';
import { emptyPalette } from '../widgets/palette/state.ts';
import { type Core, topOverlay } from './core.ts';
import { readSetting, type TypedSetting } from './settings.ts';

/** The questions whose answer is a session's name: one that cannot be is said while it can still be mended. */
const namesSession: ReadonlySet<string> = new Set(['session-new', 'session-rename', 'move']);

/** What the questions, the chooser, the help and the palette do. */
export function dialogActions(core: Core) {
  const saveSetting = (setting: TypedSetting, text: string) => {
    try {
      const { patch, done } = readSetting(setting, text);
      core.act({ do: 'close' });
      core.perform({ do: 'settings', patch, done });
    } catch (error) {
      const { message, hint } = toFailure(error);
      core.say(hint === '' ? message : `${message}; ${hint}`, 'bad');
    }
  };
  return {
    open(overlay: Overlay) {
      core.act({ do: 'open', overlay });
    },
    close() {
      core.act({ do: 'close' });
    },
    scrollHelp(by: number) {
      const help = topOverlay(core, 'help');
      if (help === null) return;
      const scene = core.scene();
      const { width, height } = helpSize(scene);
      // From where it stands on this screen, which may have grown; else the way back begins beyond the end.
      const reach = helpReach(scene, width, height);
      const scroll = Math.max(0, Math.min(reach, Math.min(reach, help.scroll) + by));
      core.act({ do: 'update', overlay: { ...help, scroll } });
    },
    confirmed() {
      const asked = topOverlay(core, 'confirm');
      if (asked === null) return;
      core.act({ do: 'close' });
      core.perform(asked.intent);
    },
    chooseKind() {
      core.act({
        do: 'open',
        overlay: {
          is: 'choose',
          title: 'new',
          at: 0,
          choices: [
            {
              key: 'l',
              label: 'local tunnel',
              help: 'a port here leads to a place behind an SSH host (ssh -L)',
              intent: { do: 'form', kind: 'local' },
            },
            {
              key: 'r',
              label: 'remote tunnel',
              help: 'a port on an SSH host leads to a place here (ssh -R)',
              intent: { do: 'form', kind: 'remote' },
            },
            {
              key: 'd',
              label: 'dynamic tunnel',
              help: 'a SOCKS proxy here, out through an SSH host (ssh -D)',
              intent: { do: 'form', kind: 'dynamic' },
            },
            {
              key: 'm',
              label: 'NAT mapping',
              help: 'a port of this gateway leads to a machine inside',
              intent: { do: 'form', kind: 'mapping' },
            },
            {
              key: 't',
              label: 'port trigger',
              help: 'a call going out opens ports coming in, for a while',
              intent: { do: 'form', kind: 'trigger' },
            },
            {
              key: 'p',
              label: 'paste an ssh line',
              help: 'the command you have been typing until now',
              intent: { do: 'paste-ssh' },
            },
          ],
        },
      });
    },
    moveChoice(by: number) {
      const choose = topOverlay(core, 'choose');
      if (choose === null) return;
      const at = (choose.at + by + choose.choices.length) % choose.choices.length;
      core.act({ do: 'update', overlay: { ...choose, at } });
    },
    /** Takes the choice of this key, or the one under the cursor; false when no choice has the key. */
    takeChoice(key: string | null): boolean {
      const choose = topOverlay(core, 'choose');
      const choice = key === null ? choose?.choices[choose.at] : choose?.choices.find((one) => one.key === key);
      if (choice === undefined) return false;
      core.act({ do: 'close' });
      core.perform(choice.intent);
      return true;
    },
    answerAsk() {
      const ask = topOverlay(core, 'ask');
      const text = ask?.field.text.trim() ?? '';
      if (ask === null || text === '') return;
      if (namesSession.has(ask.purpose.for) && !namePattern.test(text)) return core.say(nameRule, 'bad');
      if (ask.purpose.for === 'setting') return saveSetting(ask.purpose.setting, text);
      core.act({ do: 'close' });
      switch (ask.purpose.for) {
        case 'session-new':
          return core.perform({ do: 'session-save', session: text });
        case 'session-rename':
          return core.perform({ do: 'session-save', session: ask.purpose.name, rename: text });
        case 'move':
          return core.perform({ do: 'move', names: ask.purpose.names, session: text });
        case 'trigger-open':
          return core.perform({ do: 'trigger-open', name: ask.purpose.name, host: text });
        case 'ssh-line':
          return core.perform({ do: 'fill-ssh', line: text });
      }
    },
    pasteAsk(text: string) {
      const ask = topOverlay(core, 'ask');
      if (ask !== null) core.act({ do: 'update', overlay: { ...ask, field: insertText(ask.field, text.trim()) } });
    },
    openPalette() {
      core.act({ do: 'open', overlay: { is: 'palette', ...emptyPalette } });
    },
    movePalette(by: number) {
      const palette = topOverlay(core, 'palette');
      if (palette === null) return;
      const found = searchPalette(paletteEntries(core.scene()), palette.field.text).length;
      const at = found === 0 ? 0 : (palette.at + by + found) % found;
      core.act({ do: 'update', overlay: { ...palette, at } });
    },
    takePalette() {
      const palette = topOverlay(core, 'palette');
      if (palette === null) return;
      const entry = searchPalette(paletteEntries(core.scene()), palette.field.text)[palette.at];
      if (entry === undefined) return;
      if (entry.disabled !== null) {
        core.say(entry.disabled, 'busy');
        return;
      }
      core.act({ do: 'close' });
      core.perform(entry.intent);
    },
  };
}
