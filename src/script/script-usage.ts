/**
 * How often a script was called, how that ended and how long it took: made at the first call, gone with the script, so
 * it is bounded as the registry is. Plain numbers, because it is written at every call.
 */
import { COARSE_BUCKETS, coarseBucketOf, coarseStartUs, quantileUs } from '../base/latency.ts';

export class ScriptUsage {
  calls = 0;
  /** Calls that were answered with an error, whoever made it. */
  errors = 0;
  /** How long they took, by coarse bucket. */
  readonly latency: number[] = new Array<number>(COARSE_BUCKETS).fill(0);

  /** Notes a call; `fine` is the fine bucket of how long it took. */
  note(fine: number, isError: boolean): void {
    this.count(isError);
    const bucket = coarseBucketOf(fine);
    this.latency[bucket] = (this.latency[bucket] as number) + 1;
  }

  /** Counts a call of which nobody knows how long it took. */
  count(isError: boolean): void {
    this.calls++;
    if (isError) this.errors++;
  }

  /** How long the share `quantile` of the calls took at most, in µs. */
  quantileUs(quantile: number): number | undefined {
    return quantileUs(this.latency, coarseStartUs, quantile);
  }
}
