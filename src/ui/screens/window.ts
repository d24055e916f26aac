/** Which rows of a list are shown: as many as fit, around the one under the cursor. */
export function windowOf(total: number, at: number, height: number): { readonly from: number; readonly to: number } {
  if (total <= height) return { from: 0, to: total };
  const from = Math.max(0, Math.min(total - height, at - Math.floor(height / 2)));
  return { from, to: from + height };
}
