import type { Forward, ForwardKind, ForwardSchema } from '../../model/config.ts';
import { toFailure } from '../../model/errors.ts';
import { shellSplit } from '../../model/shell-words.ts';
import { count } from '../../present/quantity.ts';
import { emptyField, fieldOf } from '../text-field.ts';
import { buildForward, suggestName } from '../widgets/form/build.ts';
import { completionsFor, fixedChoices } from '../widgets/form/completions.ts';
import type { FieldId } from '../widgets/form/fields.ts';
import { allForwards, applyPreset } from '../widgets/form/preset.ts';
import { arrangeFields, startForm, textsOf, toggleMore } from '../widgets/form/start.ts';
import {
  type Built,
  currentField,
  type FormState,
  leave,
  moveInForm,
  pasteInForm,
  setField,
  textIn,
  typeInForm,
} from '../widgets/form/state.ts';
import { type Core, topOverlay } from './core.ts';

const previewDelayMs = 150;
/** Fields that take one of a known few; what is begun there, tab finishes. */
const tabCompletes: ReadonlySet<FieldId> = new Set([
  'host',
  'session',
  'preset',
  ...(Object.keys(fixedChoices) as FieldId[]),
]);

/** Defining and editing a forward. */
export function formActions(core: Core) {
  let cancelPreview = () => {};
  let asked = '';
  let schema: ForwardSchema | null = null;
  void core.schema.then((given) => {
    schema = given;
    const form = topOverlay(core, 'form');
    if (form !== null) put(form);
  });

  const put = (given: FormState) => {
    const before = topOverlay(core, 'form');
    const changed = before !== null && textIn(before, 'preset') !== textIn(given, 'preset');
    const filled = changed ? applyPreset(given) : given;
    // Another gateway can do other things.
    const form = before !== null && textIn(before, 'via') !== textIn(filled, 'via') ? arrangeFields(filled) : filled;
    const taken = core.scene().views.map(({ name }) => name);
    const named = form.named ? form : { ...form, fields: { ...form.fields, name: fieldOf(suggestName(form, taken)) } };
    const built = buildForward(named, schema, core.clock.now());
    // What the engine said about another forward is no longer true.
    const same = before !== null && questionOf(before.built.forward) === questionOf(built.forward);
    core.act({ do: 'update', overlay: { is: 'form', ...named, built, preview: same ? named.preview : null } });
    check(named, built);
  };
  /** Asks the engine what the forward would meet, a moment after the last key. */
  const check = (form: FormState, { forward }: Built) => {
    // A time to go down in is counted anew with every key, and changes nothing of what the forward would meet.
    const question = questionOf(forward);
    if (question === asked) return;
    asked = question;
    cancelPreview();
    if (forward === null) return;
    cancelPreview = core.clock.after(previewDelayMs, () => {
      const { connection } = core.scene();
      if (connection.is !== 'connected') return;
      const replacing = form.editing === null ? {} : { replacing: form.editing.name };
      connection.client.call('preview', { forward, ...replacing }).then(
        (preview) => {
          const current = topOverlay(core, 'form');
          if (current !== null && questionOf(current.built.forward) === question) {
            core.act({ do: 'update', overlay: { ...current, preview } });
          }
        },
        () => {},
      );
    });
  };
  const change = (edit: (form: FormState) => FormState) => {
    const form = topOverlay(core, 'form');
    if (form === null || form.sent) return;
    const next = edit(form);
    if (next !== form) put(next);
  };
  const openForm = (opened: FormState) => {
    const form = { ...opened, hosts: opened.order.includes('host') ? core.sshHosts() : [] };
    asked = '';
    core.act({ do: 'open', overlay: { is: 'form', ...form } });
    put(form);
  };

  const save = () => {
    const form = topOverlay(core, 'form');
    if (form === null || form.sent) return;
    if (schema === null) {
      void core.schema.then(save);
      return;
    }
    const { forward, errors, missing } = buildForward(form, schema, core.clock.now());
    if (forward === null) {
      const wrong = form.order.findIndex((id) => errors[id] !== undefined || missing.includes(id));
      const id = form.order[wrong];
      if (id !== undefined) put({ ...leave(form, id), at: wrong, touched: [...form.touched, id] });
      return;
    }
    const client = core.client();
    if (client === null) return;
    core.act({ do: 'update', overlay: { ...form, sent: true } });
    const call =
      form.editing === null
        ? client.call('add', { forwards: [...allForwards(form, forward)], up: true })
        : client.call('edit', { name: form.editing.name, patch: patchOf(form.editing, forward) });
    call.then(
      () => {
        cancelPreview();
        core.act({ do: 'close' });
        const [first = forward, ...others] = form.editing === null ? allForwards(form, forward) : [forward];
        core.act({ do: 'cursor', view: 'overview', cursor: { id: first.name, index: 0 } });
        const made = others.length === 0 ? `${first.name} is` : `${count(others.length + 1, 'forward')} are`;
        core.say(`${made} ${form.editing === null ? 'defined, starting' : 'changed'}`, 'good');
      },
      (error: unknown) => {
        const { message, hint } = toFailure(error);
        const current = topOverlay(core, 'form');
        if (current === null) core.say(message, 'bad');
        else
          core.act({
            do: 'update',
            overlay: { ...current, sent: false, refusal: hint === '' ? message : `${message}; ${hint}` },
          });
      },
    );
  };
  const pick = (by: number) =>
    change((form) => {
      const offered = completionsFor(core.scene(), form);
      if (offered.length === 0) return form;
      const at = form.pick < 0 ? (by > 0 ? 0 : offered.length - 1) : (form.pick + by + offered.length) % offered.length;
      return { ...form, pick: at };
    });
  const takePick = (form: FormState): FormState | null => {
    const chosen = form.pick < 0 ? undefined : completionsFor(core.scene(), form)[form.pick];
    return chosen === undefined ? null : setField(form, currentField(form), chosen.text);
  };
  /** Fills a form from an `ssh …` line, as the engine reads it. */
  const fillFromSsh = (line: string) => {
    const client = core.client();
    if (client === null) return;
    const args = shellSplit(line).filter((word, i) => i > 0 || !/^(.*\/)?(auto)?ssh$/.test(word));
    client.call('import', { from: 'ssh', args, dryRun: true }).then(
      ({ add, skipped }) => {
        const [first] = add;
        if (first === undefined) {
          const why = skipped[0];
          core.say(why === undefined ? 'that line forwards nothing' : `${why.what}: ${why.why}`, 'bad');
          return;
        }
        if (topOverlay(core, 'form') !== null) core.act({ do: 'close' });
        openForm(prefilled(first, core.clock.now()));
        if (add.length > 1) core.say(`that line has ${add.length} forwards; this is the first`, 'busy');
      },
      (error: unknown) => core.say(toFailure(error).message, 'bad'),
    );
  };

  return {
    openForm: (kind: ForwardKind, edit?: string) => {
      const config = edit === undefined ? null : (core.scene().picture?.snapshot.forwards[edit]?.config ?? null);
      openForm(startForm(config?.kind ?? kind, config, core.clock.now()));
    },
    edit() {
      const name = core.scene().forward?.name;
      const config = name === undefined ? undefined : core.scene().picture?.snapshot.forwards[name]?.config;
      if (config !== undefined) openForm(startForm(config.kind, config, core.clock.now()));
    },
    askSshLine() {
      core.act({
        do: 'open',
        overlay: { is: 'ask', title: 'an ssh line', label: 'ssh', field: emptyField, purpose: { for: 'ssh-line' } },
      });
    },
    fillFromSsh,
    typeForm: (key: string) => change((form) => typeInForm(form, key)),
    pasteForm(text: string) {
      if (/^\s*(\S*\/)?(auto)?ssh\s+\S/.test(text)) fillFromSsh(text.trim());
      else change((form) => pasteInForm(form, text));
    },
    formMove: (by: number) => change((form) => moveInForm(form, by)),
    formNext(key: string) {
      change((form) => {
        const taken = takePick(form);
        if (taken !== null) return moveInForm(taken, 1);
        const id = currentField(form);
        const begun = textIn(form, id);
        const offered = key === 'tab' && tabCompletes.has(id) && begun !== '' ? completionsFor(core.scene(), form) : [];
        const [only, ...others] = offered.filter(({ text }) => text.startsWith(begun));
        if (only !== undefined && others.length === 0) return moveInForm(setField(form, id, only.text), 1);
        return moveInForm(form, 1);
      });
    },
    formPick: pick,
    formMore: () => change(toggleMore),
    formSave: save,
    formEnter() {
      const form = topOverlay(core, 'form');
      if (form === null) return;
      const taken = takePick(form);
      if (taken !== null) {
        put(moveInForm(taken, 1));
        return;
      }
      save();
    },
  };
}

/** A form for a new forward with everything another one has. */
function prefilled(forward: Forward, now: number): FormState {
  const form = startForm(forward.kind, null, now);
  const texts = textsOf(forward, now);
  const fields = { ...form.fields };
  for (const id of Object.keys(fields) as (keyof typeof fields)[]) if (texts[id]) fields[id] = fieldOf(texts[id]);
  return arrangeFields({ ...form, fields, named: true, base: forward });
}

const questionOf = (forward: Forward | null) => JSON.stringify({ ...forward, until: null });

/** The top-level keys that differ; null takes one away. */
function patchOf(before: Forward, after: Forward): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>];
  for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (JSON.stringify(old[key]) !== JSON.stringify(now[key])) patch[key] = now[key] ?? null;
  }
  return patch;
}
