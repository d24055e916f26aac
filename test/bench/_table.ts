// Figures of several contestants over several rounds, taken in turn so that a noisy moment hits them alike.

export type Measure = (name: string) => Promise<number | null>;

/** The best of the rounds for each; null where it can't do it. */
export async function inTurn(names: readonly string[], rounds: number, measure: Measure): Promise<(number | null)[]> {
  const best = names.map((): number | null => null);
  for (let round = 0; round < rounds; round++) {
    for (const [i, name] of names.entries()) {
      const value = await measure(name);
      if (value !== null) best[i] = Math.max(best[i] ?? 0, value);
    }
  }
  return best;
}

/** One line: every figure, then the first against the best of the others. */
export function printRow(label: string, unit: string, values: readonly (number | null)[]): void {
  const [own, ...others] = values;
  const rest = others.filter((value) => value !== null);
  const ratio = own === null || own === undefined || rest.length === 0 ? '' : (own / Math.max(...rest)).toFixed(2);
  const figure = (value: number | null) =>
    (value === null ? '–' : value >= 100 ? String(Math.round(value)) : value.toFixed(2)).padStart(11);
  console.log(`${label.padEnd(22)}${values.map(figure).join('')}  ${unit.padEnd(8)} ratio ${ratio}`);
}

export function printHead(names: readonly string[]): void {
  console.log(`${''.padEnd(22)}${names.map((name) => name.padStart(11)).join('')}`);
}
