/**
 * The connection that a transaction has for itself, and what its node was told on it. A transaction that moves gets
 * another pin; what the old one still hears is nobody's concern.
 */
import { ANY_SLOT } from '../plan/plan.ts';
import { encodeCommand } from '../resp/encode.ts';
import type { Connection } from '../upstream/connection.ts';
import { Exchange, type Failure, IGNORE, type Sink } from '../upstream/exchange.ts';

const ASKING = encodeCommand('ASKING');
const MULTI = encodeCommand('MULTI');

export interface PinEvents {
  /** A whole reply, borrowed until return. */
  onPinReply(exchange: Exchange, reply: Buffer): void;
  /** No reply; `isLast`: nothing else is unanswered. */
  onPinFailure(exchange: Exchange, failure: Failure, isLast: boolean): void;
}

export class Pin implements Sink {
  readonly connection: Connection;
  /** Nothing yet, MULTI that is not answered, or it queues. */
  phase: 'idle' | 'starting' | 'queueing' = 'idle';
  readonly #isAsking: boolean;
  #events: PinEvents | undefined;
  /** Requests that are not answered. */
  #unansweredCount = 0;
  /** When the chunk came that was read last, and since when its first reply was waited for. */
  #readAtMs = -1;
  #headSinceMs = 0;

  constructor(connection: Connection, isAsking: boolean, events: PinEvents) {
    this.connection = connection;
    this.#isAsking = isAsking;
    this.#events = events;
  }

  /** ASKING holds for a whole transaction if it stands before MULTI (`resetClient` in Redis's networking.c). */
  #sendAsking(): void {
    if (this.#isAsking) this.connection.sendOwn(new Exchange(IGNORE, 0, undefined, ANY_SLOT), ASKING);
  }

  sendMulti(): void {
    this.phase = 'starting';
    this.#sendAsking();
    this.send(undefined, MULTI);
  }

  sendWatch(exchange: Exchange, frame: Buffer): void {
    this.#sendAsking();
    this.send(exchange, frame);
  }

  /** Sends a request of the client, or one whose reply only this side waits for. */
  send(exchange: Exchange | undefined, frame: Buffer): void {
    this.#unansweredCount++;
    if (exchange === undefined) return this.connection.sendOwn(new Exchange(this, 0, undefined, ANY_SLOT), frame);
    exchange.sink = this;
    // The exchange owns the bytes: the slow log shows them.
    this.connection.send(exchange, frame, 0, frame.length);
  }

  /** Nothing is told any more. */
  forget(): void {
    this.#events = undefined;
  }

  onReply(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    this.#unansweredCount--;
    this.#passOnTime(exchange);
    this.#events?.onPinReply(exchange, bytes.subarray(start, end));
  }

  /** A node that read commands and EXEC at once answers all of them when EXEC is done: the time is that of the last one. */
  #passOnTime(exchange: Exchange): void {
    const { readAtMs } = this.connection;
    if (readAtMs !== this.#readAtMs) this.#headSinceMs = exchange.sinceMs;
    this.#readAtMs = readAtMs;
    exchange.sinceMs = this.#unansweredCount > 0 ? readAtMs : this.#headSinceMs;
  }

  onFailure(exchange: Exchange, failure: Failure): void {
    this.#unansweredCount--;
    this.#events?.onPinFailure(exchange, failure, this.#unansweredCount === 0);
  }
}
