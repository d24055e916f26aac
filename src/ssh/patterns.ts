// PATTERNS of ssh_config(5): `*` any run, `?` one character, `!` in front negates.

/** One pattern without its negation, against the whole text. */
function matchesPattern(pattern: string, text: string): boolean {
  // Greedy with one point to come back to: linear for what people write, quadratic at worst.
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Whether any pattern matches and no negated one does. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  let found = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, text)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}
