/**
 * A first-in first-out queue in a ring of slots that doubles when full: no allocation per element, constant time at
 * both ends. Memory follows the longest the queue has been since it was last empty.
 */
const SMALLEST = 16;

export class RingQueue<T> {
  readonly #keepSlots: number;
  #slots: (T | undefined)[] = new Array<T | undefined>(SMALLEST).fill(undefined);
  #head = 0;
  #length = 0;

  /** `keepSlots`: how many slots, of 8 bytes each, are kept when the queue runs empty. */
  constructor(keepSlots = 256) {
    this.#keepSlots = keepSlots;
  }

  get length(): number {
    return this.#length;
  }

  push(value: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#length * 2);
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = value;
    this.#length++;
  }

  /** The oldest element, taken out; undefined when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#length--;
    if (this.#length === 0 && this.#slots.length > this.#keepSlots) this.#resize(SMALLEST);
    return value;
  }

  /** The oldest element, left in; undefined when empty. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head];
  }

  /** The element at `index` from the oldest; undefined behind the last. */
  at(index: number): T | undefined {
    return index < this.#length ? this.#slots[(this.#head + index) & (this.#slots.length - 1)] : undefined;
  }

  #resize(size: number): void {
    const slots = new Array<T | undefined>(size).fill(undefined);
    for (let i = 0; i < this.#length; i++) slots[i] = this.at(i);
    this.#slots = slots;
    this.#head = 0;
  }
}
