import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { CLIENT_BATCH_BYTES } from '../../src/upstream/batch.ts';
import { Outbox } from '../../src/upstream/outbox.ts';
import { Random } from '../support/random.ts';

const WRITE_BYTES = 256 * 1024;

interface Written {
  /** What the socket holds until it has told that it is gone. */
  readonly held: Uint8Array;
  /** What stood there when it was handed over. */
  readonly copy: Buffer;
}

/** A socket that takes a write only when told so. */
class SlowSocket {
  destroyed = false;
  readonly writes: Written[] = [];
  corkCount = 0;
  #callback: (() => void) | undefined;
  #gone = 0;

  write(bytes: Uint8Array, callback?: () => void): boolean {
    this.writes.push({ held: bytes, copy: Buffer.from(bytes) });
    if (callback !== undefined) {
      assert.equal(this.#callback, undefined, 'one write in flight');
      this.#callback = callback;
    }
    return false;
  }

  cork(): void {
    this.corkCount++;
  }

  uncork(): void {}

  get isWriting(): boolean {
    return this.#callback !== undefined;
  }

  /** The write in flight has gone through: nobody may have touched its bytes. */
  finish(): void {
    for (const { held, copy } of this.writes.slice(this.#gone)) {
      assert.equal(copy.compare(held), 0, 'bytes changed while they were written');
    }
    this.#gone = this.writes.length;
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.();
  }

  get text(): string {
    return Buffer.concat(this.writes.map(({ copy }) => copy)).toString('latin1');
  }
}

function setUp(): { socket: SlowSocket; outbox: Outbox; drained: () => number } {
  const socket = new SlowSocket();
  let drainedCount = 0;
  const outbox = new Outbox(
    socket as unknown as Socket,
    () => {
      drainedCount++;
    },
    CLIENT_BATCH_BYTES,
  );
  return { socket, outbox, drained: () => drainedCount };
}

function append(outbox: Outbox, bytes: Buffer): void {
  outbox.append(bytes, 0, bytes.length);
}

describe('Outbox', () => {
  it('writes nothing before flush, and nothing when there is nothing', () => {
    const { socket, outbox } = setUp();
    outbox.flush();
    append(outbox, Buffer.from('abc'));
    assert.deepEqual([socket.writes.length, outbox.pendingBytes, outbox.isWriting], [0, 3, false]);
  });

  it('sends what was appended in one write, and tells when it is gone', () => {
    const { socket, outbox, drained } = setUp();
    for (const text of ['a', 'bc', '', 'def']) append(outbox, Buffer.from(text));
    outbox.flush();
    assert.deepEqual(
      [socket.writes.length, socket.text, outbox.pendingBytes, outbox.isWriting],
      [1, 'abcdef', 6, true],
    );
    socket.finish();
    assert.deepEqual([outbox.pendingBytes, outbox.isWriting, drained()], [0, false, 1]);
  });

  it('has one write in flight; what comes meanwhile follows by itself', () => {
    const { socket, outbox, drained } = setUp();
    append(outbox, Buffer.from('a'));
    outbox.flush();
    append(outbox, Buffer.from('b'));
    outbox.flush();
    append(outbox, Buffer.from('c'));
    assert.equal(socket.text, 'a');
    socket.finish();
    assert.equal(socket.text, 'abc');
    assert.equal(outbox.pendingBytes, 2);
    socket.finish();
    assert.deepEqual([outbox.pendingBytes, drained(), socket.isWriting], [0, 2, false]);
  });

  it('bounds one write, so that a slow reader is seen to progress', () => {
    const { socket, outbox } = setUp();
    const large = Buffer.alloc(1_000_000, 'x');
    append(outbox, large);
    outbox.flush();
    const sizes: number[] = [];
    while (socket.isWriting) {
      const before = outbox.pendingBytes;
      socket.finish();
      sizes.push(before - outbox.pendingBytes);
    }
    assert.deepEqual(sizes, [WRITE_BYTES, WRITE_BYTES, WRITE_BYTES, 1_000_000 - 3 * WRITE_BYTES]);
    assert.equal(socket.text.length, 1_000_000);
    assert.equal(socket.writes[0]?.held.buffer, large.buffer, 'lent, not copied');
  });

  it('writes many batches at once, corked', () => {
    const { socket, outbox } = setUp();
    for (let i = 0; i < 10; i++) append(outbox, Buffer.alloc(10_000, String(i)));
    outbox.flush();
    assert.equal(socket.corkCount, 1);
    assert.equal(socket.text.length, 100_000);
    socket.finish();
    assert.equal(outbox.pendingBytes, 0);
  });

  it('gives room that is filled outside', () => {
    const { socket, outbox } = setUp();
    const batch = outbox.reserve(5);
    batch.append(Buffer.from('hello'), 0, 5);
    outbox.grew(5);
    assert.equal(outbox.reserve(5), batch, 'there is room');
    assert.notEqual(outbox.reserve(100_000), batch);
    outbox.flush();
    assert.equal(socket.text, 'hello');
  });

  it('keeps all bytes in order, untouched while they are written', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const { socket, outbox } = setUp();
    const expected: Buffer[] = [];
    let pending = 0;
    for (let i = 0; i < 2000; i++) {
      const length = random.pick(
        [1, 50, 200, 5000, 20_000, 40_000, 300_000].slice(0, 1 + random.below(random.below(8) + 1)),
      );
      const bytes = Buffer.alloc(length, i & 0xff);
      append(outbox, bytes);
      expected.push(bytes);
      pending += length;
      if (random.below(3) === 0) outbox.flush();
      if (random.below(3) === 0) socket.finish();
      assert.ok(outbox.pendingBytes <= pending);
    }
    outbox.flush();
    while (socket.isWriting) socket.finish();
    assert.equal(outbox.pendingBytes, 0);
    assert.equal(Buffer.concat(socket.writes.map(({ copy }) => copy)).compare(Buffer.concat(expected)), 0);
  });

  it('lets go of everything at discard, and writes no more', () => {
    const { socket, outbox, drained } = setUp();
    append(outbox, Buffer.from('a'));
    outbox.flush();
    append(outbox, Buffer.alloc(50_000));
    append(outbox, Buffer.from('b'));
    socket.destroyed = true;
    outbox.discard();
    assert.equal(outbox.pendingBytes, 1);
    socket.finish();
    assert.deepEqual([outbox.pendingBytes, drained(), socket.text], [0, 0, 'a']);
    append(outbox, Buffer.from('c'));
    outbox.flush();
    assert.equal(socket.text, 'a');
  });
});
