import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Flushable, Turn } from '../../src/upstream/turn.ts';

class Counted implements Flushable {
  isScheduled = false;
  count = 0;
  readonly #then: () => void;

  constructor(then: () => void = () => {}) {
    this.#then = then;
  }

  flush(): void {
    this.count++;
    this.#then();
  }
}

describe('Turn', () => {
  it('flushes everyone who asked once, in the order they asked, behind the reads of the turn', async () => {
    const turn = new Turn();
    const order: string[] = [];
    const [a, b] = [new Counted(() => order.push('a')), new Counted(() => order.push('b'))];
    for (const one of [b, a, b, a]) turn.schedule(one);
    assert.deepEqual(order, []);
    await nextTurn();
    assert.deepEqual(order, ['b', 'a']);
    assert.deepEqual([a.isScheduled, b.isScheduled], [false, false]);
    await nextTurn();
    assert.equal(order.length, 2);
  });

  it('flushes who asks during a flush in the turn behind it', async () => {
    const turn = new Turn();
    const late = new Counted();
    const early: Counted = new Counted(() => {
      turn.schedule(late);
      if (early.count < 3) turn.schedule(early);
    });
    turn.schedule(early);
    await nextTurn();
    assert.deepEqual([early.count, late.count], [1, 0]);
    await nextTurn();
    await nextTurn();
    await nextTurn();
    assert.deepEqual([early.count, late.count], [3, 3]);
  });

  it('has one time for all in a turn', async () => {
    const turn = new Turn();
    turn.schedule(new Counted());
    const first = turn.now();
    const until = performance.now() + 3;
    while (performance.now() < until);
    assert.equal(turn.now(), first);
    await nextTurn();
    assert.ok(turn.now() > first);
  });

  it('tells the last reading in microseconds too, whether or not it was the one of this turn', async () => {
    const turn = new Turn();
    turn.now();
    const [ms, us] = [turn.lastMs, turn.lastUs];
    const until = performance.now() + 5;
    while (performance.now() < until);
    assert.deepEqual([turn.lastMs, turn.lastUs], [ms, us]);
    turn.schedule(new Counted());
    const passedUs = (turn.lastUs - us) | 0;
    assert.ok(passedUs >= 5000 - 2 && passedUs < 1_000_000, String(passedUs));
    assert.equal(turn.lastMs, turn.now());
    assert.notEqual(turn.lastUs, 0);
    await nextTurn();
  });
});
