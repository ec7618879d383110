/**
 * The commands of an open transaction: those that the client waits for a reply to, and the bytes of all, so that they
 * can be said again to another node. Bounded: what outgrows its limits is no longer kept, and then cannot move.
 *
 *     frames   [ answered …           | waiting … ]
 *     replies  [ repeated: ignored    | for the client ]     after they were said again
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Pin } from './pin.ts';
import type { Runtime } from './runtime.ts';

/** What keeping a command costs beside its bytes. */
const OVERHEAD_BYTES = 128;

export class QueuedCommands {
  readonly #runtime: Runtime;
  readonly #waiting = new RingQueue<Exchange>();
  #frames: Buffer[] = [];
  #bytes = 0;
  #isDropped = false;
  /** Replies to come for commands that were answered before. */
  #repeatedCount = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Whether every command can be said again. */
  get isComplete(): boolean {
    return !this.#isDropped;
  }

  /** Commands that are kept. */
  get count(): number {
    return this.#frames.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** The oldest command without a reply. */
  get first(): Exchange | undefined {
    return this.#waiting.peek();
  }

  add(exchange: Exchange, frame: Buffer): void {
    this.#waiting.push(exchange);
    if (this.#isDropped) return;
    const bytes = frame.length + OVERHEAD_BYTES;
    this.#frames.push(frame);
    this.#bytes += bytes;
    this.#runtime.counters.keptBytes += bytes;
  }

  /** Says all of them to a node that queues. */
  sayTo(pin: Pin): void {
    this.#repeatedCount = this.#frames.length - this.#waiting.length;
    for (const [index, frame] of this.#frames.entries()) {
      pin.send(index < this.#repeatedCount ? undefined : this.#waiting.at(index - this.#repeatedCount), frame);
    }
    this.trim();
  }

  /** The next reply is there; false when the client had one to this command already. */
  takeReply(): boolean {
    if (this.#repeatedCount > 0) {
      this.#repeatedCount--;
      return false;
    }
    this.#waiting.shift();
    return true;
  }

  /** The oldest command without a reply, which gets one from here. */
  shift(): Exchange | undefined {
    return this.#waiting.shift();
  }

  /** Forgets the bytes if they are too many; called when all was sent. */
  trim(): void {
    const { limits, counters } = this.#runtime;
    const isTooMuch = this.#bytes > limits.inFlightBytesPerClient || counters.keptBytes > limits.bufferedBytes / 4;
    if (!isTooMuch) return;
    this.forgetBytes();
    this.#isDropped = true;
  }

  forgetBytes(): void {
    this.#runtime.counters.keptBytes -= this.#bytes;
    this.#frames = [];
    this.#bytes = 0;
    this.#isDropped = false;
  }

  clear(): void {
    this.forgetBytes();
    this.#repeatedCount = 0;
    while (this.#waiting.shift() !== undefined);
  }
}
