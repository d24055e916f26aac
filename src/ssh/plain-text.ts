/**
 * Text from outside, fit for one line on a terminal: control, bidirectional and invisible characters gone, white space
 * runs made one space, cut at `maxLength` characters.
 */
export function plainText(text: string, maxLength = 300): string {
  // Cut first: ten megabytes of banner need no cleaning.
  const clean = text
    .slice(0, maxLength * 4)
    // Escape sequences whole, so that no "[31m" stays behind.
    .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])/g, '')
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, '')
    .trim();
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean;
}
