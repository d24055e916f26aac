import type { Prompt } from '../../../model/host.ts';
import { type Line, seg, wrapText } from '../../../present/line.ts';
import { panel } from '../../../present/panel.ts';
import type { Scene } from '../../scene.ts';
import { emptyField } from '../../text-field.ts';
import { fieldLine } from '../field.ts';
import { keyList } from '../footer.ts';
import { type PromptState, startPrompt } from './state.ts';

/** How early a line goes where the screen is too low for all of them; what is a fact or a field stays. */
type Gives = 'first' | 'then' | 'last' | 'never';

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
  const rows: { readonly line: Line; readonly gives: Gives }[] = [];
  const put = (line: Line, gives: Gives = 'never') => rows.push({ line, gives });
  const hostKey = prompt.kind === 'host_key' && prompt.fingerprint !== null;
  // The engine's words name the host and the fingerprint, too; here both have their own place.
  const title = hostKey ? 'the key of this host is not known' : prompt.title;
  for (const text of wrapText(title, inner)) put([seg(text, 'title', true)]);
  if (prompt.instructions !== '')
    for (const text of wrapText(prompt.instructions, inner).slice(0, 4)) put([seg(text, 'dim')], 'last');
  put([], 'first');
  if (prompt.kind === 'host_key') {
    if (prompt.keyType !== null) put([seg('key    ', 'dim'), seg(prompt.keyType)]);
    // As ssh and ssh-keygen -lf print it, to be compared by eye or by search.
    for (const text of wrapText(prompt.fingerprint ?? '', inner)) put([seg(text, 'accent')]);
    put([], 'first');
    for (const text of wrapText("compare it with what the host's owner says", inner)) put([seg(text, 'dim')], 'then');
    put([
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
      put([
        seg(`${(labels[i] ?? '').padEnd(labelWidth)}  `, i === state.at ? 'accent' : 'dim'),
        ...fieldLine(state.fields[i] ?? emptyField, inner - labelWidth - 2, { focused: i === state.at, hidden: !echo }),
      ]);
    });
    const kept = state.remember === 'engine' ? 'kept in memory while the engine runs' : 'used once, not kept';
    put([], 'first');
    put([seg(state.sent ? 'sent' : kept, 'dim')], 'then');
  }
  put([], 'first');
  put(keyList(scene, inner));
  const waiting = (picture?.snapshot.prompts.length ?? 1) - 1;
  return panel(
    { left: `needs you ${glyphs.dot} ${prompt.host}`, right: waiting > 0 ? `${waiting} more` : '', focused: true },
    fitting(rows, height - 2).map((line) => [seg(' '), ...line]),
    width,
    glyphs,
  );
}

/** The lines there is room for. */
function fitting(rows: readonly { readonly line: Line; readonly gives: Gives }[], room: number): Line[] {
  let kept = rows;
  for (const gives of ['first', 'then', 'last'] as const)
    if (kept.length > room) kept = kept.filter((row) => row.gives !== gives);
  return kept.map(({ line }) => line);
}
