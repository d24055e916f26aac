/** Made when first needed: it loads the tables of Unicode, which plain text never asks for. */
let segmenter: Intl.Segmenter | null = null;

/** What a person takes for the signs of a text, one after the other. */
export function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return segmenter.segment(text);
}
