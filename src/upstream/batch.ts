/**
 * A buffer that collects bytes for one peer, and is kept as long as anybody needs it: the socket until it is flushed,
 * and on the way to a node every exchange whose request stands in it, because it may have to be sent again.
 *
 * Batches of the two usual sizes come from free lists; `release` by the last holder gives them back. A batch may also
 * carry a buffer that was made elsewhere (a large value) without copying it.
 */

/** For clients: many of them, a few replies each. */
export const CLIENT_BATCH_BYTES = 16 * 1024;
/** For nodes: few of them, the requests of many clients in one write. */
export const NODE_BATCH_BYTES = 64 * 1024;

/** At most 8 MB are kept of each size. */
const KEEP_FREE_BYTES = 8 * 1024 * 1024;

const free = new Map<number, Batch[]>([
  [CLIENT_BATCH_BYTES, []],
  [NODE_BATCH_BYTES, []],
]);

/**
 * The run that was appended last and is not copied yet. Pipelined requests, and the replies to them, mostly follow each
 * other in the bytes they came in: joined to one run they are copied at once. There is one run in the process; it is
 * completed when another begins, when its batch is read, and before its source is written again: by shared-reads.ts, and
 * when the source is a batch that is released.
 */
let runBatch: Batch | undefined;
let runSource: Uint8Array = new Uint8Array(0);
let runStart = 0;
let runEnd = 0;
/** Where it goes in the batch. */
let runAt = 0;

/** Copies what was appended by `appendRun` and is still only noted. */
export function completeRun(): void {
  const batch = runBatch;
  if (batch === undefined) return;
  runBatch = undefined;
  copyBytes(runSource, runStart, runEnd, batch.buffer, runAt);
}

/** Short runs byte by byte: that is faster than making a view for `set`. */
function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > 96) {
    target.set(source.subarray(start, end), at);
    return;
  }
  let to = at;
  for (let i = start; i < end; i++) target[to++] = source[i] as number;
}

export class Batch {
  readonly #buffer: Buffer;
  used = 0;
  #holders = 1;
  /** The free list it goes back to. */
  readonly #home: Batch[] | undefined;

  private constructor(buffer: Buffer, home: Batch[] | undefined) {
    this.#buffer = buffer;
    this.#home = home;
  }

  /** An empty batch of the usual size, or larger if so many bytes do not fit, held by the caller. */
  static take(bytes: number, usualBytes: number = CLIENT_BATCH_BYTES): Batch {
    if (bytes > usualBytes) return new Batch(Buffer.allocUnsafeSlow(bytes), undefined);
    const home = free.get(usualBytes);
    const batch = home?.pop();
    if (batch === undefined) return new Batch(Buffer.allocUnsafeSlow(usualBytes), home);
    batch.used = 0;
    batch.#holders = 1;
    return batch;
  }

  /** A full batch around bytes that nobody will change, held by the caller. */
  static around(bytes: Buffer): Batch {
    const batch = new Batch(bytes, undefined);
    batch.used = bytes.length;
    return batch;
  }

  /** The bytes, complete up to `used`. */
  get buffer(): Buffer {
    if (runBatch === this) completeRun();
    return this.#buffer;
  }

  hasRoom(bytes: number): boolean {
    return this.used + bytes <= this.#buffer.length;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    if (runBatch === this) runBatch = undefined;
    if (runSource === this.#buffer) completeRun();
    const home = this.#home;
    if (home === undefined) return;
    if (home.length * this.#buffer.length < KEEP_FREE_BYTES) home.push(this);
  }

  /** Copies bytes [start, end) behind what is there; the caller has asked `hasRoom`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    if (runBatch === this) completeRun();
    copyBytes(bytes, start, end, this.#buffer, this.used);
    this.used += end - start;
  }

  /** As `append`, but the bytes are copied later: before they can change, and before anybody reads the batch. */
  appendRun(bytes: Uint8Array, start: number, end: number): void {
    if (runBatch === this && runSource === bytes && runEnd === start) {
      runEnd = end;
    } else {
      completeRun();
      runBatch = this;
      runSource = bytes;
      runStart = start;
      runEnd = end;
      runAt = this.used;
    }
    this.used += end - start;
  }
}
