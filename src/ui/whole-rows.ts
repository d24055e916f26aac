// What Ink is to write on a frame, where that is whole rows: the text of each is then all there is to its row. The build
// has Ink ask this first (bin/package-edits.ts).

/** As Ink has it: a text at a place, each of its lines going through the transformers. */
interface Write {
  readonly type: 'write';
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly transformers: readonly ((line: string, index: number) => string)[];
}

export type Operation = Write | { readonly type: 'clip' | 'unclip' };

/** The rows of a frame; null where Ink must lay one thing over or beside another. */
export function wholeRows(operations: readonly Operation[], height: number): string[] | null {
  const [write, ...others] = operations;
  if (write?.type !== 'write' || others.length > 0 || write.x !== 0 || write.y !== 0) return null;
  const lines = write.text.split('\n');
  if (lines.some((line) => line !== ' ') || lines.length !== height) return null;
  const row = (index: number) => write.transformers.reduce((line, transform) => transform(line, index), ' ');
  return lines.map((_, index) => row(index).trimEnd());
}
