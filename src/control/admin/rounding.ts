/** Figures as the API shows them. */

/** Three digits behind the point; null for what is no number. */
export function rounded(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Math.round(value * 1000) / 1000;
}

/** µs as ms. */
export function milliseconds(us: number | undefined): number | null {
  return us === undefined ? null : rounded(us / 1000);
}
