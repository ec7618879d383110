/**
 * Seeded randomness for fuzz tests: the same seed gives the same run. A test prints its seed; `EVALGATE_SEED=n` runs
 * it again.
 */

export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** A seed from the environment, or a new one. */
  static fresh(): Random {
    const given = process.env['EVALGATE_SEED'];
    return new Random(given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given));
  }

  /** An integer from 0 to below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  /** The bytes in chunks of random sizes, each in memory of its own. */
  chunks(bytes: Buffer, largest: number): Buffer[] {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + this.below(largest));
      chunks.push(Buffer.from(bytes.subarray(at, end)));
      at = end;
    }
    return chunks;
  }

  /** The bytes with a few of them flipped, cut out, doubled, or replaced by bytes that mean something in RESP. */
  mutate(bytes: Buffer): Buffer {
    let mutated = Buffer.from(bytes);
    for (let times = 1 + this.below(3); times > 0; times--) {
      const at = this.below(mutated.length + 1);
      const end = Math.min(mutated.length, at + 1 + this.below(4));
      const [head, middle, tail] = [mutated.subarray(0, at), mutated.subarray(at, end), mutated.subarray(end)];
      const changed = this.pick([
        () => [head, this.bytes(middle.length), tail],
        () => [head, tail],
        () => [head, middle, middle, tail],
        () => [
          head,
          Buffer.from(this.pick(['\r', '\n', '\r\n', '$', '*', '-', '?', '0', '9', '.', ';', '|', '>'])),
          tail,
        ],
      ])();
      mutated = Buffer.concat(changed);
    }
    return mutated;
  }
}
