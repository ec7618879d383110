import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backoff } from '../../src/session/backoff.ts';

describe('Backoff', () => {
  const LATEST = () => 0.999_999_999;

  it('lets what never failed be tried, and what failed once', () => {
    const backoff = new Backoff();
    assert.equal(backoff.mayTry('a', 1000), true);
    assert.equal(backoff.hasFailed('a'), false);
    backoff.failed('a', 1000);
    assert.equal(backoff.hasFailed('a'), true);
    assert.equal(backoff.mayTry('a', 1000), true);
    assert.equal(backoff.waitMs(1000), undefined);
  });

  it('waits 50 ms after the second failure, then twice as long each time up to 5 s', () => {
    const backoff = new Backoff(LATEST);
    let nowMs = 0;
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) {
      backoff.failed('a', nowMs);
      const waitMs = Math.ceil(backoff.waitMs(nowMs) ?? 0);
      waits.push(waitMs);
      if (waitMs > 0) assert.equal(backoff.mayTry('a', nowMs + waitMs - 1), false);
      nowMs += waitMs;
      assert.equal(backoff.mayTry('a', nowMs), true);
    }
    assert.deepEqual(waits, [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  it('is up to a quarter shorter by chance', () => {
    const backoff = new Backoff(() => 0);
    backoff.failed('a', 0);
    backoff.failed('a', 0);
    assert.equal(backoff.waitMs(0), 37.5);
  });

  it('keeps what failed apart, and tells who is next', () => {
    const backoff = new Backoff(LATEST);
    for (const key of ['a', 'a', 'b', 'b', 'b']) backoff.failed(key, 0);
    assert.equal(Math.round(backoff.waitMs(0) ?? 0), 50);
    assert.equal(Math.round(backoff.waitMs(60) ?? 0), 40);
    assert.equal(backoff.mayTry('a', 60), true);
    assert.equal(backoff.mayTry('b', 60), false);
  });

  it('begins anew with who has not failed for 10 s, and forgets the others who have not', () => {
    const backoff = new Backoff();
    for (const key of ['a', 'a', 'a', 'b']) backoff.failed(key, 0);
    backoff.failed('a', 10_001);
    assert.equal(backoff.mayTry('a', 10_001), true);
    assert.equal(backoff.hasFailed('b'), false);
  });
});
