import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RingQueue } from '../../src/base/ring-queue.ts';
import { Random } from '../support/random.ts';

describe('RingQueue', () => {
  it('is empty at first', () => {
    const queue = new RingQueue<number>();
    assert.deepEqual([queue.length, queue.shift(), queue.peek(), queue.at(0)], [0, undefined, undefined, undefined]);
  });

  it('gives elements in the order they came, whatever the ring looks like', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const queue = new RingQueue<number>();
    const model: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      // More in than out in waves, so that it grows, wraps and empties.
      const isGrowing = Math.floor(i / 2500) % 2 === 0;
      if (random.below(10) < (isGrowing ? 7 : 3)) {
        queue.push(i);
        model.push(i);
      } else {
        assert.equal(queue.shift(), model.shift());
      }
      assert.equal(queue.length, model.length);
      assert.equal(queue.peek(), model[0]);
      const index = random.below(model.length + 2);
      assert.equal(queue.at(index), model[index]);
    }
  });

  it('works on after it was large and became empty', () => {
    const queue = new RingQueue<number>();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5000; i++) queue.push(i);
      for (let i = 0; i < 5000; i++) assert.equal(queue.shift(), i);
      assert.equal(queue.shift(), undefined);
    }
  });
});
