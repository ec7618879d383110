/**
 * C2, reply order: replies leave in the order of the requests, always, because they leave only from the head of this
 * one queue.
 *
 *     expect ─▶ [ e1 · e2 · e3 … ]      settle(e2): held    settle(e1): e1, e2 go to the outbox
 *                ▲head
 *
 * Whoever settles the head writes straight into the outbox; the bytes of the others are copied and held.
 */
import { RingQueue } from '../base/ring-queue.ts';
import { ASSEMBLY_BYTES } from '../resp/receive-buffer.ts';
import { Batch } from '../upstream/batch.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Outbox } from '../upstream/outbox.ts';

/** How many of the next requests get no reply (CLIENT REPLY): none, one after SKIP, all after OFF. */
export interface Muting {
  mutedCount: number;
}

export class ReplyQueue {
  readonly #outbox: Outbox;
  readonly #muting: Muting;
  readonly #waiting = new RingQueue<Exchange>();
  /** Where replies are copied that cannot leave yet. */
  #held: Batch | undefined;
  #heldBytes = 0;

  constructor(outbox: Outbox, muting: Muting) {
    this.#outbox = outbox;
    this.#muting = muting;
  }

  /** Requests whose reply has not left. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Bytes of replies that wait for those before them. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A request was taken: its reply has its place from now on. */
  expect(exchange: Exchange): void {
    if (this.#muting.mutedCount > 0) {
      this.#muting.mutedCount--;
      exchange.isMuted = true;
    }
    this.#waiting.push(exchange);
  }

  /** The reply of a request stands in bytes [start, end), borrowed until return; beyond ASSEMBLY_BYTES they must never change. */
  settle(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    const to = exchange.isMuted ? start : end;
    if (this.#waiting.peek() !== exchange) {
      this.#hold(exchange, bytes, start, to);
      return;
    }
    this.#waiting.shift();
    this.#outbox.append(bytes, start, to);
    recycle(exchange);
    for (let head = this.#waiting.peek(); head?.reply !== undefined; head = this.#waiting.peek()) {
      this.#waiting.shift();
      this.#release(head, head.reply);
    }
    if (this.#waiting.length === 0) this.#dropHeld();
  }

  #hold(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#heldBytes += length;
    if (length > ASSEMBLY_BYTES) {
      exchange.reply = Batch.around(bytes.subarray(start, end));
    } else {
      if (!this.#held?.hasRoom(length)) this.#dropHeld();
      this.#held ??= Batch.take(length);
      this.#held.append(bytes, start, end);
      this.#held.hold();
      exchange.reply = this.#held;
    }
    exchange.replyEnd = exchange.reply.used;
    exchange.replyStart = exchange.replyEnd - length;
  }

  #release(exchange: Exchange, reply: Batch): void {
    this.#heldBytes -= exchange.replyEnd - exchange.replyStart;
    this.#outbox.append(reply.buffer, exchange.replyStart, exchange.replyEnd);
    exchange.reply = undefined;
    reply.release();
    recycle(exchange);
  }

  #dropHeld(): void {
    this.#held?.release();
    this.#held = undefined;
  }

  /** The client is gone: nothing leaves any more. */
  discard(): void {
    for (let head = this.#waiting.shift(); head !== undefined; head = this.#waiting.shift()) {
      head.reply?.release();
      head.reply = undefined;
    }
    this.#heldBytes = 0;
    this.#dropHeld();
  }
}

/** Requests that became many, or are answered here, are told of later still: they are left to the garbage collector. */
function recycle(exchange: Exchange): void {
  if (exchange.connection !== undefined && exchange.part === undefined) exchange.recycle();
}
