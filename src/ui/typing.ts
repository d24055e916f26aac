// Where keys and pasted text go that are no command of their own.
import type { Actions } from './actions/actions.ts';
import { type Core, topOverlay } from './actions/core.ts';
import type { KeyName } from './keys.ts';
import { filterOf, withFilter } from './state.ts';
import { editField, insertText } from './text-field.ts';

export function createTyping(core: Core, actions: Actions) {
  return {
    type(key: KeyName) {
      switch (core.scene().context) {
        case 'filter': {
          const { ui } = core.scene();
          const filter = editField(filterOf(ui), key);
          if (filter !== null) core.set(withFilter(ui, filter));
          return;
        }
        case 'ask': {
          const ask = topOverlay(core, 'ask');
          const field = ask === null ? null : editField(ask.field, key);
          if (ask !== null && field !== null) core.act({ do: 'update', overlay: { ...ask, field } });
          return;
        }
        case 'palette': {
          const palette = topOverlay(core, 'palette');
          const field = palette === null ? null : editField(palette.field, key);
          if (palette !== null && field !== null)
            core.act({
              do: 'update',
              overlay: { ...palette, field, at: field.text === palette.field.text ? palette.at : 0 },
            });
          return;
        }
        case 'form':
          return actions.typeForm(key);
        case 'prompt':
        case 'hostkey':
          return actions.typePrompt(key);
        case 'choose':
          actions.takeChoice(key);
          return;
        default:
          core.say(`${key === 'space' ? 'space' : key} does nothing here; ? shows what does`);
      }
    },
    paste(text: string) {
      switch (core.scene().context) {
        case 'filter': {
          const { ui } = core.scene();
          core.set(withFilter(ui, insertText(filterOf(ui), text.trim())));
          break;
        }
        case 'ask':
          actions.pasteAsk(text);
          break;
        case 'palette': {
          const palette = topOverlay(core, 'palette');
          if (palette !== null) {
            core.act({ do: 'update', overlay: { ...palette, field: insertText(palette.field, text.trim()), at: 0 } });
          }
          break;
        }
        case 'form':
          actions.pasteForm(text);
          break;
        case 'prompt':
        case 'hostkey':
          actions.pastePrompt(text);
          break;
        default:
          // A pasted ssh line means "make this"; anything else pasted here would only be a burst of keys.
          if (/^\s*(\S*\/)?(auto)?ssh\s+\S/.test(text)) actions.fillFromSsh(text.trim());
          else core.say('nothing here takes pasted text; n starts a form');
      }
    },
  };
}
