import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SingleFlight } from '../../src/base/single-flight.ts';

describe('SingleFlight', () => {
  it('joins those who come meanwhile in one run that begins after them', async () => {
    const ends: (() => void)[] = [];
    const flight = new SingleFlight(() => new Promise((resolve) => ends.push(resolve)));
    const settled: string[] = [];
    const note = (name: string) => () => settled.push(name);
    const first = flight.run().then(note('first'));
    const second = flight.run().then(note('second'));
    const third = flight.run().then(note('third'));
    assert.equal(ends.length, 1);
    ends[0]?.();
    await first;
    await new Promise(setImmediate);
    assert.deepEqual(settled, ['first']);
    assert.equal(ends.length, 2);
    const fourth = flight.run();
    ends[1]?.();
    await Promise.all([second, third]);
    await new Promise(setImmediate);
    assert.equal(ends.length, 3);
    assert.equal(flight.isIdle, false);
    ends[2]?.();
    await fourth;
    assert.equal(flight.isIdle, true);
  });

  it('runs again after a run that failed', async () => {
    let runs = 0;
    const flight = new SingleFlight(async () => {
      if (++runs === 1) throw new Error('no');
    });
    const [first, second] = [flight.run(), flight.run()];
    await assert.rejects(first, /no/);
    await second;
    assert.equal(runs, 2);
  });
});
