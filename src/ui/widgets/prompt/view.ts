import type { Prompt } from '../../../model/host.ts';
import { type Line, seg, wrapText } from '../../../present/line.ts';
import { panel } from '../../../present/panel.ts';
import type { Scene } from '../../scene.ts';
import { emptyField } from '../../text-field.ts';
import { fieldLine } from '../field.ts';
import { keyList } from '../footer.ts';
import { type PromptState, startPrompt } from './state.ts';

const compare = "compare it with what the host's owner says";

/** A question of the engine, what is typed hidden where it must be. */
export function promptLines(
  scene: Scene,
  prompt: Prompt,
  typed: PromptState | null,
  width: number,
  height: number,
): Line[] {
  const { glyphs, picture } = scene;
  const state = typed?.id === prompt.id ? typed : startPrompt(prompt);
  const inner = width - 4;
  const lines: Line[] = wrapText(prompt.title, inner).map((text) => [seg(text, 'title', true)]);
  if (prompt.instructions !== '')
    for (const text of wrapText(prompt.instructions, inner).slice(0, 4)) lines.push([seg(text, 'dim')]);
  lines.push([]);
  if (prompt.kind === 'host_key') {
    lines.push([seg('host   ', 'dim'), seg(prompt.host, 'plain', true)]);
    lines.push([seg('key    ', 'dim'), seg(prompt.keyType ?? '')]);
    for (const [i, text] of wrapText(prompt.fingerprint ?? '', inner - 7).entries())
      lines.push([seg(i === 0 ? 'sha256 ' : '       ', 'dim'), seg(text.replace(/^SHA256:/, ''), 'accent')]);
    lines.push([], [seg(compare, 'dim')]);
    lines.push([
      seg('trust it? ', 'plain'),
      ...fieldLine(state.fields[0] ?? emptyField, inner - 10, {
        focused: true,
        ellipsis: glyphs.ellipsis,
        example: 'yes, no, or the fingerprint',
      }),
    ]);
  } else {
    const labels = prompt.fields.map(({ label }) => label.replace(/[:\s]+$/, ''));
    const labelWidth = Math.min(24, Math.max(...labels.map((label) => label.length)));
    prompt.fields.forEach(({ echo }, i) => {
      lines.push([
        seg(`${(labels[i] ?? '').padEnd(labelWidth)}  `, i === state.at ? 'accent' : 'dim'),
        ...fieldLine(state.fields[i] ?? emptyField, inner - labelWidth - 2, { focused: i === state.at, hidden: !echo }),
      ]);
    });
    const kept = state.remember === 'engine' ? 'kept in memory while the engine runs' : 'used once, not kept';
    lines.push([], [seg(state.sent ? 'sent' : kept, 'dim')]);
  }
  lines.push([], keyList(scene, inner));
  // Too low a screen: what is no fact and no field goes.
  const tight = lines.length + 2 > height;
  const shown = tight ? lines.filter((line) => line.length > 0 && line[0]?.text !== compare) : lines;
  const waiting = (picture?.snapshot.prompts.length ?? 1) - 1;
  return panel(
    { left: `needs you ${glyphs.dot} ${prompt.host}`, right: waiting > 0 ? `${waiting} more` : '', focused: true },
    shown.map((line) => [seg(' '), ...line]),
    width,
    glyphs,
  );
}
