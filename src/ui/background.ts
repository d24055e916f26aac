// Whether the terminal is light or dark, by asking it (OSC 11, as xterm has it). A request for the device attributes
// goes along: every terminal answers that one, so one that knows no OSC 11 costs no waiting.
import type { ReadStream, WriteStream } from 'node:tty';

const question = '\u001b]11;?\u001b\\\u001b[c';
const colourReply = /\u001b\]11;rgb:([0-9a-f]+)\/([0-9a-f]+)\/([0-9a-f]+)(?:\u0007|\u001b\\)/i;
const attributesReply = /\u001b\[\?[\d;]*c/;

export type Background = 'light' | 'dark';

/** What an answer says, what else there was in the input, and whether all is answered. */
function readReply(input: string): { background: Background | null; rest: string; complete: boolean } {
  const colour = colourReply.exec(input);
  const complete = attributesReply.test(input);
  const rest = input.replace(colourReply, '').replace(attributesReply, '');
  if (colour === null) return { background: null, rest, complete };
  const [r = 0, g = 0, b = 0] = colour.slice(1).map((hex) => Number.parseInt(hex, 16) / (16 ** hex.length - 1));
  return { background: 0.299 * r + 0.587 * g + 0.114 * b > 0.5 ? 'light' : 'dark', rest, complete };
}

/** How long the first picture waits for an answer. */
const patienceMs = 120;

/** The environment's word costs nothing; where there is none, the terminal is asked. */
function asks(env: NodeJS.ProcessEnv, stdin: ReadStream, stdout: WriteStream): boolean {
  return stdin.isTTY && stdout.isTTY && !env.COLORFGBG && !env.NO_COLOR && env.TERM !== 'dumb' && env.TERM !== 'linux';
}

/** Asks, and waits a moment for the answer; what was typed meanwhile stays in the input. Null when none came. */
export async function askBackground(
  env: NodeJS.ProcessEnv,
  stdin: ReadStream,
  stdout: WriteStream,
): Promise<Background | null> {
  if (!asks(env, stdin, stdout)) return null;
  let input = '';
  const done = Promise.withResolvers<void>();
  const onReadable = () => {
    for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) input += String(chunk);
    if (readReply(input).complete) done.resolve();
  };
  const timer = setTimeout(done.resolve, patienceMs);
  stdin.setRawMode(true);
  stdin.on('readable', onReadable);
  stdout.write(question);
  await done.promise;
  clearTimeout(timer);
  stdin.off('readable', onReadable);
  const { background, rest } = readReply(input);
  if (rest !== '') stdin.unshift(Buffer.from(rest));
  return background;
}

/** Whether a piece of input is an answer that came too late: nobody typed it. */
export function isLateReply(input: string): boolean {
  return /^\u001b?\]$|^(?:\u001b?\])?11;rgb:[0-9a-f/]+/i.test(input) || /^\[\?[\d;]*c$/.test(input);
}
