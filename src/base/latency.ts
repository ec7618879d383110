/**
 * Latencies in fixed logarithmic buckets, so that recording one is a handful of integer operations and nothing is ever
 * sorted or forgotten.
 *
 *     fine     [0, 50) [50, 100) [100, 150) [150, 200) [200, 300) [300, 400) [400, 600) … µs: two for each doubling
 *     coarse   [0, 50) [50, 100) [100, 200)            [200, 400)            [400, 800) … µs: one for each doubling
 *
 * The last bucket of each takes all that is longer (78 s and 52 s). Durations are whole microseconds.
 */

const UNIT_US = 50;
const DOUBLINGS = 20;

export const FINE_BUCKETS = 2 * DOUBLINGS + 2;
export const COARSE_BUCKETS = DOUBLINGS + 2;
const LAST_FINE = FINE_BUCKETS - 1;

/** The fine bucket of a duration; a negative one counts as longer than any. */
export function fineBucketOf(us: number): number {
  const units = us < 0 ? 0x7fffffff : (us / UNIT_US) | 0;
  if (units < 2) return units;
  const doublings = 31 - Math.clz32(units);
  const bucket = 2 * doublings + ((units >>> (doublings - 1)) & 1);
  return bucket > LAST_FINE ? LAST_FINE : bucket;
}

/** The coarse bucket that holds a fine one. */
export function coarseBucketOf(fine: number): number {
  return fine === 0 ? 0 : (fine >> 1) + 1;
}

/** Where a fine bucket begins, in µs; it ends where the next one begins. */
export function fineStartUs(bucket: number): number {
  if (bucket < 2) return bucket * UNIT_US;
  const start = UNIT_US * 2 ** (bucket >> 1);
  return (bucket & 1) === 0 ? start : start * 1.5;
}

/** Where a coarse bucket begins, in µs; it ends where the next one begins. */
export function coarseStartUs(bucket: number): number {
  return bucket === 0 ? 0 : UNIT_US * 2 ** (bucket - 1);
}

/**
 * The duration, in µs, that the share `quantile` (0 to 1) of what was counted did not exceed, as well as buckets can
 * tell: in between it is interpolated. Undefined when nothing was counted.
 */
export function quantileUs(
  counts: ArrayLike<number>,
  startUs: (bucket: number) => number,
  quantile: number,
): number | undefined {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i] as number;
  if (total === 0) return undefined;
  let missing = quantile * total;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] as number;
    if (count > 0 && missing <= count) {
      const from = startUs(i);
      return from + (startUs(i + 1) - from) * (missing / count);
    }
    missing -= count;
  }
  return startUs(counts.length);
}

/** Counts durations in fine buckets, for Prometheus histograms and quantiles. */
export class LatencyHistogram {
  readonly counts = new Float64Array(FINE_BUCKETS);
  sumUs = 0;

  /** `fine`: the duration's fine bucket, which the caller has at hand. */
  add(fine: number, us: number): void {
    this.counts[fine] = (this.counts[fine] as number) + 1;
    this.sumUs += us;
  }

  quantileUs(quantile: number): number | undefined {
    return quantileUs(this.counts, fineStartUs, quantile);
  }
}
