// Text from outside (host names, banners, errors) may carry control sequences that would move the cursor, change the
// title or write to the clipboard.
import { steadyText } from './steady.ts';

// CSI, OSC/DCS/SOS/PM/APC with their terminators, other escapes; C0 and C1; bidirectional overrides.
const escapes =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][\s\S]*?(?:\u0007|\u001b\\|$)|\u001b[ -/]*[0-~]?|\u009b[0-?]*[ -/]*[@-~]/g;
const controls = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line, safe to draw: escape sequences go, line breaks and tabs become spaces, other controls vanish. */
export function safeText(text: string): string {
  const still = text
    .replace(escapes, '')
    .replace(/[\r\n\t]+/g, ' ')
    .replace(controls, '');
  return steadyText(still);
}
