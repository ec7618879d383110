import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Batch, completeRun } from '../../src/upstream/batch.ts';
import { Random } from '../support/random.ts';

interface Played {
  batch: Batch;
  expected: Buffer;
}

/** Appends at random from one source, spoils the source, and compares. */
function playRound(random: Random, name: string): void {
  const source = random.bytes(4096);
  const batches: Played[] = Array.from({ length: 3 }, () => ({ batch: Batch.take(1), expected: Buffer.alloc(0) }));
  let at = 0;
  for (let step = 0; step < 40; step++) {
    const one = random.pick(batches);
    const start = random.below(3) === 0 ? random.below(3000) : at;
    const end = start + random.below(150);
    at = end > 3800 ? 0 : end;
    if (random.below(8) === 0) one.batch.append(source, start, end);
    else one.batch.appendRun(source, start, end);
    one.expected = Buffer.concat([one.expected, source.subarray(start, end)]);
    if (random.below(20) === 0) {
      one.batch.release();
      Object.assign(one, { batch: Batch.take(1), expected: Buffer.alloc(0) });
    }
  }
  completeRun();
  source.fill(0xee);
  for (const { batch, expected } of batches) {
    assert.deepEqual(batch.buffer.subarray(0, batch.used), expected, name);
    batch.release();
  }
}

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

  it('holds what was appended in whatever order runs, copies, releases and new sources come', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < 200; round++) playRound(random, `round ${round}`);
  });

  it('copies a run out of a batch before that batch is used again', () => {
    const held = Batch.take(10);
    held.append(Buffer.from('held reply'), 0, 10);
    const target = Batch.take(10);
    target.appendRun(held.buffer, 0, 10);
    held.release();
    const next = Batch.take(10);
    next.append(Buffer.from('other text'), 0, 10);
    assert.equal(next, held, 'the free list gave another batch: the test proved nothing');
    assert.equal(target.buffer.toString('latin1', 0, 10), 'held reply');
    next.release();
    target.release();
  });
});
