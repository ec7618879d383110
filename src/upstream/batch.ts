/**
 * A buffer that collects bytes for one peer, and is kept as long as anybody needs it: the socket until it is flushed,
 * and on the way to a node every exchange whose request stands in it, because it may have to be sent again.
 *
 * Batches of the usual size come from a free list; `release` by the last holder gives them back. A batch may also
 * carry a buffer that was made elsewhere (a large value) without copying it.
 */
const BATCH_BYTES = 16 * 1024;
const KEEP_FREE = 512;

const free: Batch[] = [];

export class Batch {
  readonly buffer: Buffer;
  used = 0;
  #holders = 1;
  readonly #isPooled: boolean;

  private constructor(buffer: Buffer, isPooled: boolean) {
    this.buffer = buffer;
    this.#isPooled = isPooled;
  }

  /** An empty batch with room for at least so many bytes, held by the caller. */
  static take(bytes: number): Batch {
    if (bytes > BATCH_BYTES) return new Batch(Buffer.allocUnsafeSlow(bytes), false);
    const batch = free.pop();
    if (batch === undefined) return new Batch(Buffer.allocUnsafeSlow(BATCH_BYTES), true);
    batch.used = 0;
    batch.#holders = 1;
    return batch;
  }

  /** A full batch around bytes that nobody will change, held by the caller. */
  static around(bytes: Buffer): Batch {
    const batch = new Batch(bytes, false);
    batch.used = bytes.length;
    return batch;
  }

  hasRoom(bytes: number): boolean {
    return this.used + bytes <= this.buffer.length;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0 && this.#isPooled && free.length < KEEP_FREE) free.push(this);
  }

  /** Copies bytes [start, end) behind what is there; the caller has asked `hasRoom`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const target = this.buffer;
    let at = this.used;
    this.used = at + end - start;
    if (end - start > 96) {
      target.set(bytes.subarray(start, end), at);
      return;
    }
    for (let i = start; i < end; i++) target[at++] = bytes[i] as number;
  }
}
