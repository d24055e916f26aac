import { closest, distance } from 'fastest-levenshtein';

/** Names of forwards and sessions. */
export const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
export const nameRule = 'a name has 1 to 64 of A-Z a-z 0-9 . _ -';

/** The known name a mistyped one most likely meant, or null when none is near. */
export function nearestName(typed: string, known: readonly string[]): string | null {
  if (known.length === 0) return null;
  const candidate = closest(
    typed.toLowerCase(),
    known.map((name) => name.toLowerCase()),
  );
  const found = known.find((name) => name.toLowerCase() === candidate);
  if (found === undefined) return null;
  // Two letters swapped count as two edits.
  const length = Math.max(typed.length, found.length);
  const allowed = length < 3 ? 1 : Math.max(2, Math.floor(length / 3));
  if (distance(typed.toLowerCase(), candidate) <= allowed || (typed.length >= 2 && found.startsWith(typed)))
    return found;
  return null;
}
