import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoginBackoff } from '../../src/session/login-backoff.ts';

describe('LoginBackoff', () => {
  it('lets four failures pass, then doubles the delay up to 5 s', () => {
    const backoff = new LoginBackoff();
    const delays = Array.from({ length: 12 }, () => {
      backoff.onFailure('a', 0);
      return backoff.delayMs('a', 0);
    });
    assert.deepEqual(delays, [0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert.equal(backoff.delayMs('b', 0), 0, 'other addresses are not concerned');
  });

  it('forgives an address that failed no more for a minute', () => {
    const backoff = new LoginBackoff();
    for (let i = 0; i < 6; i++) backoff.onFailure('a', 1000);
    assert.equal(backoff.delayMs('a', 61_000), 200);
    assert.equal(backoff.delayMs('a', 61_001), 0);
    backoff.onFailure('a', 61_001);
    assert.equal(backoff.delayMs('a', 61_001), 0);
  });

  it('remembers 10,000 addresses, and forgets the one that failed longest ago', () => {
    const backoff = new LoginBackoff();
    for (let i = 0; i < 5; i++) backoff.onFailure('first', 0);
    for (let i = 0; i < 5; i++) backoff.onFailure('second', 0);
    backoff.onFailure('first', 0);
    for (let i = 0; i < 9999; i++) backoff.onFailure(`other ${i}`, 0);
    assert.equal(backoff.size, 10_000);
    assert.deepEqual([backoff.delayMs('first', 0), backoff.delayMs('second', 0)], [200, 0]);
  });
});
