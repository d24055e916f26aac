// The overview's filter: plain words, and `column:word` for one column.
import type { ForwardRow } from './forwards.ts';
import { stateLooks } from './states.ts';

export type Filter = (row: ForwardRow) => boolean;

type Term = (row: ForwardRow) => boolean;

const ports = (text: string): string[] =>
  [...text.matchAll(/(?:^|[:/ ,-])(\d{1,5})(?=$|[-,\s])/g)].map((m) => m[1] ?? '');

function portMatches(row: ForwardRow, wanted: string): boolean {
  const places = [row.view.listen, row.view.target ?? ''];
  if (places.some((place) => ports(place).includes(wanted))) return true;
  const port = Number(wanted);
  return places.some((place) =>
    [...place.matchAll(/(\d+)-(\d+)/g)].some((m) => port >= Number(m[1]) && port <= Number(m[2])),
  );
}

const columns: Readonly<Record<string, (row: ForwardRow, word: string) => boolean>> = {
  name: ({ view }, word) => view.name.toLowerCase().includes(word),
  kind: ({ view }, word) => view.kind.startsWith(word),
  state: ({ view }, word) => view.state.startsWith(word) || stateLooks[view.state].word.startsWith(word),
  host: ({ view }, word) => (view.host ?? '').toLowerCase().includes(word),
  listen: ({ view }, word) => view.listen.toLowerCase().includes(word),
  target: ({ view }, word) => (view.target ?? '').toLowerCase().includes(word),
  via: ({ view }, word) => view.via.startsWith(word),
  session: ({ view }, word) => view.session.toLowerCase().includes(word),
  note: ({ view }, word) => view.note.toLowerCase().includes(word),
  port: portMatches,
};

/** The columns a filter knows, for the help. */
export const filterColumns: readonly string[] = Object.keys(columns);

function term(word: string): Term {
  const negated = word.length > 1 && word.startsWith('!');
  const bare = negated ? word.slice(1) : word;
  const at = bare.indexOf(':');
  const column = at > 0 ? columns[bare.slice(0, at)] : undefined;
  const value = bare.slice(at + 1);
  const test: Term =
    column === undefined
      ? ({ view }) =>
          [
            view.name,
            view.kind,
            view.state,
            view.host,
            view.listen,
            view.target,
            view.via,
            view.session,
            view.note,
          ].some((text) => text?.toLowerCase().includes(bare) === true)
      : (row) => value === '' || column(row, value);
  return negated ? (row) => !test(row) : test;
}

const wordsOf = (text: string) =>
  text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');

/** A filter from what was typed: every word must fit; `!word` must not. */
export function parseFilter(text: string): Filter {
  const terms = wordsOf(text).map(term);
  return (row) => terms.every((test) => test(row));
}

/** The same over rows that are no forwards, by all their text; `column:` before a word is not looked at there. */
export function filterRows<Row>(rows: readonly Row[], text: string, textOf: (row: Row) => string): readonly Row[] {
  const terms = wordsOf(text).map((word) => {
    const negated = word.length > 1 && word.startsWith('!');
    const bare = negated ? word.slice(1) : word;
    const value = bare.replace(/^[a-z]+:(?=.)/, '');
    return (row: string) => (row.includes(bare) || row.includes(value)) !== negated;
  });
  if (terms.length === 0) return rows;
  return rows.filter((row) => {
    const all = textOf(row).toLowerCase();
    return terms.every((test) => test(all));
  });
}
