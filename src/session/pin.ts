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
    const sent = exchange ?? new Exchange(this, 0, undefined, ANY_SLOT);
    sent.sink = this;
    this.#unansweredCount++;
    this.connection.sendOwn(sent, frame);
  }

  /** Nothing is told any more. */
  forget(): void {
    this.#events = undefined;
  }

  onReply(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    this.#unansweredCount--;
    this.#events?.onPinReply(exchange, bytes.subarray(start, end));
  }

  onFailure(exchange: Exchange, failure: Failure): void {
    this.#unansweredCount--;
    this.#events?.onPinFailure(exchange, failure, this.#unansweredCount === 0);
  }
}
