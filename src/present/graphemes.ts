// Signs that are a grapheme each and take one column: ASCII, and what is drawn here besides. Nearly all there is to see is
// made of them, and looking into the tables of Unicode for them would be half of a frame's cost.
const plainSigns = String.raw`\x20-\x7e\u00b7\u2026\u2190-\u2193\u2500-\u25f7\u2713\u2716\u2800-\u28ff`;
const plainText = new RegExp(`^[${plainSigns}]*$`);
const plainPainted = new RegExp(`^[\\x1b${plainSigns}]*$`);

export interface Grapheme {
  readonly segment: string;
  readonly index: number;
}

/** Whether every sign of a text takes one column. */
export function isPlain(text: string): boolean {
  return plainText.test(text);
}

/** Made when first needed: it takes 17 ms to load the tables of Unicode. */
let segmenter: Intl.Segmenter | null = null;

/** What a person takes for the signs of a text, one after the other; escape sequences fall into their signs. */
export function graphemesOf(text: string): Iterable<Grapheme> {
  if (plainPainted.test(text)) {
    const signs: Grapheme[] = [];
    for (let index = 0; index < text.length; index++) signs.push({ segment: text.charAt(index), index });
    return signs;
  }
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return segmenter.segment(text);
}
