import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  COARSE_BUCKETS,
  coarseBucketOf,
  coarseStartUs,
  FINE_BUCKETS,
  fineBucketOf,
  fineStartUs,
  LatencyHistogram,
  quantileUs,
} from '../../src/base/latency.ts';

const MINUTE_US = 60e6;

describe('fineBucketOf', () => {
  it('holds what lies between its start and that of the next, for every bucket', () => {
    for (let bucket = 0; bucket < FINE_BUCKETS - 1; bucket++) {
      assert.equal(fineBucketOf(fineStartUs(bucket)), bucket);
      assert.equal(fineBucketOf(fineStartUs(bucket + 1) - 1), bucket);
    }
  });

  it('takes what is longer than the last bucket, or negative, into the last one', () => {
    for (const us of [fineStartUs(FINE_BUCKETS - 1), 10 * MINUTE_US, 2 ** 31 - 1, -1, -(2 ** 31)]) {
      assert.equal(fineBucketOf(us), FINE_BUCKETS - 1, String(us));
    }
  });

  it('tells 50 µs from 60 s in two buckets for each doubling', () => {
    assert.equal(fineBucketOf(49), 0);
    assert.equal(fineBucketOf(50), 1);
    assert.ok(fineStartUs(FINE_BUCKETS - 1) > MINUTE_US);
    for (let bucket = 2; bucket < FINE_BUCKETS - 2; bucket++) {
      assert.equal(fineStartUs(bucket + 2), 2 * fineStartUs(bucket));
    }
  });
});

describe('coarseBucketOf', () => {
  it('is the coarse bucket in which the fine one lies', () => {
    for (let fine = 0; fine < FINE_BUCKETS; fine++) {
      const coarse = coarseBucketOf(fine);
      assert.ok(coarse >= 0 && coarse < COARSE_BUCKETS);
      assert.ok(coarseStartUs(coarse) <= fineStartUs(fine) && fineStartUs(fine) < coarseStartUs(coarse + 1));
    }
  });
});

describe('quantileUs', () => {
  it('is undefined when nothing was counted', () => {
    assert.equal(new LatencyHistogram().quantileUs(0.5), undefined);
  });

  it('is off by less than half, whatever the durations', () => {
    const durations = Array.from({ length: 10_000 }, (_, i) => Math.floor(60 * 1.001 ** i));
    const histogram = new LatencyHistogram();
    for (const us of durations) histogram.add(fineBucketOf(us), us);
    for (const quantile of [0.01, 0.25, 0.5, 0.9, 0.99]) {
      const exact = durations[Math.ceil(quantile * durations.length) - 1] ?? 0;
      if (exact > MINUTE_US) continue;
      const told = histogram.quantileUs(quantile) ?? 0;
      assert.ok(told > exact / 1.5 && told < exact * 1.5, `${quantile}: ${told} for ${exact}`);
    }
    assert.equal(
      histogram.sumUs,
      durations.reduce((sum, us) => sum + us, 0),
    );
  });

  it('interpolates in a bucket, and skips empty ones', () => {
    const counts = new Array<number>(FINE_BUCKETS).fill(0);
    counts[2] = 2;
    counts[10] = 2;
    assert.equal(quantileUs(counts, fineStartUs, 0.25), 125);
    assert.equal(quantileUs(counts, fineStartUs, 0.5), 150);
    assert.equal(quantileUs(counts, fineStartUs, 1), fineStartUs(11));
  });
});
