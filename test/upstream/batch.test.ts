import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Batch } from '../../src/upstream/batch.ts';

describe('Batch', () => {
  it('collects bytes, short runs and long ones', () => {
    const batch = Batch.take(1000);
    const long = Buffer.alloc(200, 'l');
    batch.append(Buffer.from('xabcx'), 1, 4);
    batch.append(long, 0, 200);
    batch.append(Buffer.alloc(0), 0, 0);
    assert.equal(batch.used, 203);
    assert.deepEqual(batch.buffer.subarray(0, 203), Buffer.concat([Buffer.from('abc'), long]));
    batch.release();
  });

  it('says how much room there is', () => {
    const batch = Batch.take(1);
    const room = batch.buffer.length;
    assert.equal(batch.hasRoom(room), true);
    assert.equal(batch.hasRoom(room + 1), false);
    batch.append(Buffer.alloc(10), 0, 10);
    assert.equal(batch.hasRoom(room - 10), true);
    assert.equal(batch.hasRoom(room - 9), false);
    batch.release();
  });

  it('is used again only when the last holder has released it', () => {
    const batch = Batch.take(10);
    batch.append(Buffer.from('abc'), 0, 3);
    batch.hold();
    batch.release();
    const other = Batch.take(10);
    assert.notEqual(other, batch);
    batch.release();
    const again = Batch.take(10);
    assert.equal(again, batch);
    assert.equal(again.used, 0);
    again.hold();
    again.release();
    assert.notEqual(Batch.take(10), again, 'it is held once more');
  });

  it('makes a large one of the size that is wanted, and does not keep it', () => {
    const batch = Batch.take(100_000);
    assert.equal(batch.buffer.length, 100_000);
    batch.release();
    assert.notEqual(Batch.take(100_000), batch);
  });

  it('goes around bytes without copying them', () => {
    const bytes = Buffer.from('abc');
    const batch = Batch.around(bytes);
    assert.equal(batch.buffer, bytes);
    assert.equal(batch.used, 3);
    assert.equal(batch.hasRoom(1), false);
    batch.release();
    assert.notEqual(Batch.take(1).buffer, bytes);
  });
});
