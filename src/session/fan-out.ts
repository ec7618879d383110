/**
 * One request of a client that became many: collects the replies of its parts, and tells when all are there.
 */
import type { Exchange } from '../upstream/exchange.ts';

export interface FanOutEvents {
  /** Every reply as it comes, by index of the part. */
  readonly onPart?: (index: number, reply: Buffer) => void;
  /** All replies, by index of the part. */
  readonly onComplete: (replies: readonly Buffer[]) => void;
}

export class FanOut {
  /** The exchange that stands in the reply queue for all parts. */
  readonly parent: Exchange;
  readonly #replies: (Buffer | undefined)[];
  readonly #events: FanOutEvents;
  #missing: number;

  constructor(parent: Exchange, count: number, events: FanOutEvents) {
    this.parent = parent;
    this.#replies = new Array<Buffer | undefined>(count).fill(undefined);
    this.#missing = count;
    this.#events = events;
  }

  /** The replies so far, by index of the part. */
  get replies(): readonly (Buffer | undefined)[] {
    return this.#replies;
  }

  /** Takes the reply of a part; the bytes are copied. */
  collect(index: number, reply: Uint8Array): void {
    if (this.#replies[index] !== undefined) return;
    const copy = Buffer.from(reply);
    this.#replies[index] = copy;
    this.#missing--;
    this.#events.onPart?.(index, copy);
    if (this.#missing === 0) this.#events.onComplete(this.#replies.filter((part) => part !== undefined));
  }
}
