/**
 * The last so many of what came, in a ring of slots that is never larger: the oldest goes when a new one comes.
 */
export class LastOnes<T> {
  readonly #limit: number;
  #slots: T[] = [];
  #next = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#slots.length;
  }

  /** Takes one in; the one that went for it, if one did. */
  push(value: T): T | undefined {
    const gone = this.#slots[this.#next];
    this.#slots[this.#next] = value;
    this.#next = (this.#next + 1) % this.#limit;
    return gone;
  }

  /** The newest first, so many at most. */
  newest(count: number = this.#slots.length): T[] {
    const { length } = this.#slots;
    const taken: T[] = [];
    for (let i = 1; i <= Math.min(count, length); i++) taken.push(this.#slots[(this.#next - i + length) % length] as T);
    return taken;
  }

  clear(): void {
    this.#slots = [];
    this.#next = 0;
  }
}
