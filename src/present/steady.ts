// Signs that programs take for one, and terminals for as many columns as they please: a heart with the selector for its
// colours has two columns in one terminal and one in the next, and so a row with it ends where nobody expects it.

const suspects = /[\u200d\ufe0e\ufe0f\ud83c]/;

/**
 * The same text of signs whose width is agreed on: without what chooses between a sign's two looks or its skin, and with
 * joined signs one beside the other. Joiners between letters, which some scripts need, stay.
 */
export function steadyText(text: string): string {
  if (!suspects.test(text)) return text;
  return text.replace(
    /[\ufe0e\ufe0f]|(?<=\p{Emoji_Modifier_Base}\ufe0f?)[\u{1f3fb}-\u{1f3ff}]|\u200d(?=\p{Extended_Pictographic})/gu,
    '',
  );
}
