/**
 * The bytes a framer still has to read: the chunk that just came, or, when a frame spans chunks, a buffer of our own.
 *
 *     chunk ──append──▶ bytes [ consumed | frame in progress … | free ]
 *                                        ▲retainFrom(start)     ▲length
 *
 * A frame that is whole within one chunk is never copied. One that ends in the next chunk is put together in ASSEMBLY.
 * A longer one moves into a buffer that doubles and is sized by the announced end where that is near, so a 64 MB value in
 * 16 KB chunks costs linear time. A length that a peer merely announces reserves nothing: capacity never exceeds twice
 * what has arrived.
 *
 * The chunk is borrowed until the rest of it is retained. Bytes in a buffer of our own are never changed or moved once
 * they are there, so slices of it may outlive the call.
 */
import { parseIntegerAt } from './bytes.ts';

const EMPTY = Buffer.alloc(0);

/** Frames larger than this always stand in a buffer of their own, whose bytes never change: they may be lent. */
export const ASSEMBLY_BYTES = 128 * 1024;

/**
 * Where the begin of a frame and the chunk with its end are put together. One for all: like a chunk, what stands here is
 * borrowed until the rest of it is retained. Without it every chunk that ends within a frame would cost a buffer.
 */
const ASSEMBLY = Buffer.allocUnsafeSlow(ASSEMBLY_BYTES);

/** `readCount` found no complete line yet. */
export const MORE = -2;
/** `readCount` found something that is no integer. */
export const INVALID = -3;

export class ReceiveBuffer {
  bytes: Buffer = EMPTY;
  /** Number of bytes received in `bytes`. */
  length = 0;
  /** Index behind the line that `readCount` read last. */
  lineEnd = 0;
  #isOwn = false;

  /** Adds a chunk behind the bytes that were retained; the frame in progress is known to reach to `wantedBytes`. */
  append(chunk: Buffer, wantedBytes: number): void {
    if (this.length === 0) {
      this.bytes = chunk;
      this.length = chunk.length;
      this.#isOwn = false;
      return;
    }
    const length = this.length + chunk.length;
    // Small pieces of a long frame would be copied again and again: for them a buffer that grows is better.
    if (length <= ASSEMBLY_BYTES && chunk.length >= this.length) {
      ASSEMBLY.set(this.bytes.subarray(0, this.length));
      ASSEMBLY.set(chunk, this.length);
      this.bytes = ASSEMBLY;
      this.length = length;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || length > this.bytes.length) this.#grow(length, wantedBytes);
    this.bytes.set(chunk, this.length);
    this.length = length;
  }

  #grow(length: number, wantedBytes: number): void {
    const capacity = Math.ceil(Math.max(1.5 * length, Math.min(2 * length, wantedBytes)));
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#isOwn = true;
  }

  /** Keeps only what begins at `from`, in a buffer of our own: nothing of a chunk is pinned between reads. */
  retainFrom(from: number): void {
    if (from >= this.length) {
      this.bytes = EMPTY;
      this.length = 0;
    } else if (from > 0 || !this.#isOwn) {
      this.bytes = Buffer.from(this.bytes.subarray(from, this.length));
      this.length -= from;
      this.#isOwn = true;
    }
  }

  /**
   * The count in the line that begins at `at` with a type byte: `*3\r\n` → 3, any negative number → -1, MORE or
   * INVALID. Sets `lineEnd`. As in Redis the byte behind the `\r` is not looked at, and leading zeros are invalid.
   */
  readCount(at: number): number {
    const bytes = this.bytes;
    const length = this.length;
    let value = 0;
    let i = at + 1;
    for (; i < length; i++) {
      const digit = (bytes[i] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = i - at - 1;
    if (i + 1 >= length && !(i < length && bytes[i] !== 0x0d)) return MORE;
    if (bytes[i] !== 0x0d || digits === 0 || digits > 15) return this.#readOddCount(at);
    if (bytes[at + 1] === 0x30 && digits > 1) return INVALID;
    this.lineEnd = i + 2;
    return value;
  }

  /** Negative numbers and everything that is no number: off the common path. */
  #readOddCount(at: number): number {
    const bytes = this.bytes;
    if (bytes[at + 1] !== 0x2d) return INVALID;
    let i = at + 2;
    while (i < this.length && (bytes[i] as number) >= 0x30 && (bytes[i] as number) <= 0x39) i++;
    if (i - at > 22) return INVALID;
    if (i + 1 >= this.length && (i >= this.length || bytes[i] === 0x0d)) return MORE;
    if (bytes[i] !== 0x0d || Number.isNaN(parseIntegerAt(bytes, at + 1, i))) return INVALID;
    this.lineEnd = i + 2;
    return -1;
  }
}
