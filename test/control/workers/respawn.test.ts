import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Respawn } from '../../../src/control/workers/respawn.ts';

describe('Respawn', () => {
  it('fills a place at once, and waits longer each time when workers die one after the other', () => {
    let nowMs = 0;
    const respawn = new Respawn(() => nowMs);
    nowMs = 60_000;
    assert.equal(respawn.delayMs(), 0, 'after a long life');
    const delays = Array.from({ length: 9 }, () => {
      nowMs += 10;
      const delayMs = respawn.delayMs();
      nowMs += delayMs;
      return delayMs;
    });
    assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    nowMs += 10_000;
    assert.equal(respawn.delayMs(), 0, 'one that lived is not blamed for those before');
  });
});
