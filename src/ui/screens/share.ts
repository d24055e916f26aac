/**
 * Shares rows among panels. Where there are too few, the one with the cursor gets the most.
 * @param room rows there are, without edges; may be too few for one row each
 */
export function shareRows(wanted: readonly number[], room: number, first: number): number[] {
  const given = wanted.map(() => 0);
  let left = Math.max(0, room);
  // The others are sure of a little, so that few rows are shown whole; the first gets all it can use of the rest.
  const sure = Math.max(1, Math.floor(room / 5));
  if (wanted.reduce((sum, rows) => sum + rows, 0) > room && wanted.length > 1 && room >= wanted.length * sure) {
    wanted.forEach((rows, i) => {
      given[i] = Math.min(rows, sure);
      left -= given[i] ?? 0;
    });
    const more = Math.min(left, (wanted[first] ?? 0) - (given[first] ?? 0));
    given[first] = (given[first] ?? 0) + more;
    left -= more;
  }
  const order = wanted.map((_, i) => i).sort((a, b) => (a === first ? -1 : b === first ? 1 : a - b));
  for (let hungry = order; hungry.length > 0 && left > 0; ) {
    const part = Math.max(1, Math.floor(left / hungry.length));
    for (const i of hungry) {
      const more = Math.min(part, left, (wanted[i] ?? 0) - (given[i] ?? 0));
      given[i] = (given[i] ?? 0) + more;
      left -= more;
    }
    hungry = order.filter((i) => (given[i] ?? 0) < (wanted[i] ?? 0));
  }
  return given;
}
