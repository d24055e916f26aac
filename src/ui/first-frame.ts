// The first frame, drawn while React and Ink are still to be read, which takes as long again. Ink then goes on from what
// stands on the screen, as if it had drawn it itself: the build has it ask here (bin/package-edits.ts).
import type { WriteStream } from 'node:tty';

const open = '\u001b[?1049h\u001b[?25l';
const close = '\u001b[?1049l\u001b[?25h';
const homeAndErase = '\u001b[H\u001b[J';
/** So that a terminal shows all of it at once (synchronised output, as Ink does it). */
const begin = '\u001b[?2026h';
const end = '\u001b[?2026l';

interface Drawn {
  readonly text: string;
  readonly columns: number;
  readonly rows: number;
}

/** What stands on the alternate screen, until Ink has taken it over; null while that is not open. */
let drawn: Drawn | null = null;

/** Opens the alternate screen and draws these rows, as many as the terminal has. */
export function drawFirstFrame(stdout: WriteStream, rows: readonly string[]): void {
  const text = rows.map((row) => row.trimEnd()).join('\n');
  drawn = { text, columns: stdout.columns, rows: stdout.rows };
  stdout.write(`${open}${begin}${homeAndErase}${text}${end}`);
}

/** Gives the frame to Ink: its text, or nothing where the size has changed under it. Null where none was drawn. */
export function takeFirstFrame(stdout: WriteStream): string | null {
  if (drawn === null) return null;
  const { text, columns, rows } = drawn;
  drawn = null;
  if (columns === stdout.columns && rows === stdout.rows) return text;
  stdout.write(homeAndErase);
  return '';
}

/** Gives the terminal back where Ink never came to take it. */
export function leaveFirstFrame(stdout: WriteStream): void {
  if (drawn === null) return;
  drawn = null;
  stdout.write(close);
}
