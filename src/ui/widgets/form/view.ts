import { explain, explainEnd } from '../../../present/explain.ts';
import { kindNames } from '../../../present/kinds.ts';
import { type Line, onBack, seg, wrapText } from '../../../present/line.ts';
import { panel } from '../../../present/panel.ts';
import type { Scene } from '../../scene.ts';
import { windowOf } from '../../screens/window.ts';
import { emptyField } from '../../text-field.ts';
import { fieldLine } from '../field.ts';
import { keyList } from '../footer.ts';
import { completionsFor } from './completions.ts';
import { type FieldId, formFields } from './fields.ts';
import { allForwards } from './preset.ts';
import { currentField, type FormState } from './state.ts';

const labelWidth = 15;

/** What is being typed for the first time is not wrong yet. */
const isHalfTyped = (form: FormState, id: FieldId) => currentField(form) === id && !form.left.includes(id);

/** The form: its fields, what is wrong with them, what could stand there, and what it would all do. */
export function formLines(scene: Scene, form: FormState, width: number, height: number): Line[] {
  const { glyphs } = scene;
  const inner = width - 4;
  const { texts } = formFields[form.kind];
  const { forward, errors, missing } = form.built;
  const rows = form.order.map((id, i): Line => {
    const focused = i === form.at;
    const { label = id, example = '', optional = false } = texts[id] ?? {};
    const field = form.fields[id] ?? emptyField;
    const wrong = form.touched.includes(id) && !isHalfTyped(form, id) ? errors[id] : undefined;
    const needed = form.touched.includes(id) && missing.includes(id) && !focused;
    const mark =
      wrong !== undefined
        ? seg(`${glyphs.state('failed')} `, 'bad')
        : needed
          ? seg(`${glyphs.state('waiting')} `, 'ask')
          : field.text !== '' && errors[id] === undefined
            ? seg(glyphs.ascii ? '  ' : `${glyphs.check} `, 'good')
            : seg('  ');
    return [
      seg(focused ? glyphs.cursor : ' ', 'accent'),
      mark,
      seg(label.padEnd(labelWidth), focused ? 'accent' : optional ? 'dim' : 'plain', focused),
      ...fieldLine(field, inner - labelWidth - 4, {
        focused,
        example: example === '' && optional ? 'optional' : example,
      }),
    ];
  });
  const current = form.order[form.at];
  const complaints = form.order.filter((id) => form.touched.includes(id) && errors[id] !== undefined);
  const blamed = current !== undefined && complaints.includes(current) ? current : complaints[0];
  const complaint = blamed === undefined ? undefined : `${texts[blamed]?.label ?? blamed}: ${errors[blamed]}`;
  const below: Line[] = [];
  const paragraph = (text: string, role: Parameters<typeof seg>[1], lead = '') => {
    for (const [i, line] of wrapText(text, inner - lead.length).entries())
      below.push([seg(i === 0 ? lead : ' '.repeat(lead.length), role), seg(line, role)]);
  };
  if (form.refusal !== null) paragraph(form.refusal, 'bad');
  else if (complaint !== undefined)
    paragraph(complaint, blamed !== undefined && isHalfTyped(form, blamed) ? 'dim' : 'bad');
  const offered = completionsFor(scene, form);
  const room = Math.max(3, height - 4);
  const spare = height - Math.min(rows.length, Math.ceil(room / 2)) - 9;
  // What is being picked is always seen.
  if (offered.length > 0 && (spare >= 1 || form.pick >= 0)) {
    const shown = Math.min(offered.length, Math.max(1, Math.min(5, spare)));
    const { from, to } = windowOf(offered.length, Math.max(0, form.pick), shown);
    offered.slice(from, to).forEach(({ text, hint }, i) => {
      const picked = from + i === form.pick;
      const line: Line = [
        seg(' '.repeat(labelWidth + 1)),
        seg(` ${text} `, picked ? 'plain' : 'accent'),
        seg(hint === '' ? '' : ` ${hint}`, 'dim'),
      ];
      below.push(picked ? [...line.slice(0, 1), ...onBack(line.slice(1), 'select')] : line);
    });
    if (form.pick < 0) below.push([seg(' '.repeat(labelWidth + 2)), seg('ctrl+n picks', 'dim')]);
  }
  if (forward !== null) {
    below.push([]);
    paragraph(`${explain(forward)}${explainEnd(forward, scene.now)}`, 'plain');
    const [, ...others] = allForwards(form, forward);
    for (const other of others) paragraph(`and ${explain(other)}`, 'plain');
    const { preview } = form;
    if (preview?.refusal)
      paragraph(
        `${preview.refusal.message}${preview.refusal.hint === '' ? '' : `; ${preview.refusal.hint}`}`,
        'bad',
        `${glyphs.state('failed')} `,
      );
    for (const warning of preview?.warnings ?? []) paragraph(warning, 'busy', '! ');
    const actions = preview?.refusal ? [] : (preview?.actions ?? []);
    for (const action of actions.slice(0, 3)) paragraph(action, 'dim', `${glyphs.arrow} `);
  }
  const fieldRoom = Math.max(2, Math.min(rows.length, room - Math.min(below.length, Math.ceil(room / 2))));
  const { from, to } = windowOf(rows.length, form.at, fieldRoom);
  const body = [...rows.slice(from, to), ...below.slice(0, Math.max(0, room - fieldRoom))];
  const title = form.editing === null ? `new ${kindNames[form.kind]}` : `edit ${form.editing.name}`;
  const right = to - from < rows.length ? `${from + 1}-${to} of ${rows.length}` : form.sent ? 'saving' : '';
  return panel(
    { left: title, right, focused: true },
    [...body.map((line): Line => [seg(' '), ...line]), [], keyList(scene, width - 2)],
    width,
    glyphs,
  );
}
