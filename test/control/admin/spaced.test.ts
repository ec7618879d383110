import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { spaced } from '../../../src/control/admin/spaced.ts';

describe('spaced', () => {
  it('makes one answer for all who ask before it is begun, by key', async () => {
    let made = 0;
    const ask = spaced(0, (query: string) => `${query}${++made}`);
    assert.deepEqual(await Promise.all([ask('a', 'a'), ask('a', 'a'), ask('b', 'b'), ask('a', 'a')]), [
      'a1',
      'a1',
      'b2',
      'a1',
    ]);
  });

  it('gives nobody what was true before he asked', async () => {
    let truth = 1;
    const ask = spaced(0, () => truth);
    assert.equal(await ask('', undefined), 1);
    truth = 2;
    assert.equal(await ask('', undefined), 2);
  });

  it('leaves the time between two, also for other keys', async () => {
    const times: number[] = [];
    const ask = spaced(30, () => times.push(performance.now()));
    await Promise.all(['a', 'b', 'c'].map((key) => ask(key, undefined)));
    await ask('a', undefined);
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    // The times are taken a moment after the timers, and these may come a millisecond early.
    assert.ok(gaps.length === 3 && gaps.every((gap) => gap > 20), String(gaps));
  });

  it('passes on a failure, and goes on', async () => {
    const ask = spaced(0, (query: string) => {
      if (query === 'bad') throw new Error('no');
      return query;
    });
    const [bad, good] = await Promise.allSettled([ask('bad', 'bad'), ask('good', 'good')]);
    assert.deepEqual([bad.status, good.status], ['rejected', 'fulfilled']);
    assert.equal(await ask('again', 'again'), 'again');
  });
});
