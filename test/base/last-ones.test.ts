import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LastOnes } from '../../src/base/last-ones.ts';

describe('LastOnes', () => {
  it('holds the newest so many, newest first, and tells which went', () => {
    const last = new LastOnes<number>(3);
    const gone = [1, 2, 3, 4, 5].map((value) => last.push(value));
    assert.deepEqual(gone, [undefined, undefined, undefined, 1, 2]);
    assert.deepEqual(last.newest(), [5, 4, 3]);
    assert.deepEqual(last.newest(2), [5, 4]);
    assert.deepEqual(last.newest(99), [5, 4, 3]);
    assert.deepEqual(last.newest(0), []);
  });

  it('is in order before it is full, and after clear', () => {
    const last = new LastOnes<string>(3);
    assert.deepEqual(last.newest(), []);
    last.push('a');
    last.push('b');
    assert.deepEqual(last.newest(), ['b', 'a']);
    last.clear();
    assert.equal(last.length, 0);
    last.push('c');
    assert.deepEqual(last.newest(), ['c']);
  });
});
