/**
 * C6 towards one client: what is owed to it stays bounded, and costs others as little as possible.
 *
 *     unread + expected replies   a quarter of the limit ─▶ no further requests are taken
 *     unread                      a quarter ─▶ sessions idle there avoid the node connections that this client uses
 *                                 the limit ─▶ these connections are not read until half of it is gone
 *     messages of pub/sub         the limit ─▶ the client is closed
 *     no byte taken for client_stall_ms while something is owed ─▶ the client is closed
 *
 * The replies of requests in flight are expected to be as large as the last ones were.
 */
import type { Connection } from '../upstream/connection.ts';
import type { Outbox } from '../upstream/outbox.ts';
import type { ReplyQueue } from './reply-queue.ts';
import type { Limits } from './runtime.ts';

/** What a client that reads may have unread at a moment. */
const USUAL_UNREAD_BYTES = 64 * 1024;
/** Weight of one reply in the average. */
const SMOOTHING = 1 / 16;

export class OutputGuard {
  readonly #outbox: Outbox;
  readonly #replies: ReplyQueue;
  readonly #limits: Limits;
  /** Bytes of a reply, smoothed. */
  #averageBytes = 0;
  /** Node connections that carry replies for this client while it is slow. */
  readonly #slowed = new Set<Connection>();
  /** When the client last took a byte, or was last owed none. */
  #progressMs: number;
  /** What the kernel had not taken of the write in flight when it was looked at last. */
  #unsentBytes = 0;

  constructor(parts: { outbox: Outbox; replies: ReplyQueue; limits: Limits }, nowMs: number) {
    this.#outbox = parts.outbox;
    this.#replies = parts.replies;
    this.#limits = parts.limits;
    this.#progressMs = nowMs;
  }

  /** Bytes of replies that the client has not taken. */
  get unreadBytes(): number {
    return this.#outbox.pendingBytes + this.#replies.heldBytes;
  }

  /** Whether the client may be owed one more reply. */
  get hasRoom(): boolean {
    const expectedBytes = this.#replies.length * this.#averageBytes;
    const isEmpty = this.#replies.length === 0;
    const room = this.#limits.clientOutputBytes / 4 - this.unreadBytes;
    return room > 0 && (isEmpty || expectedBytes < room);
  }

  /** A reply of so many bytes came over a node connection and stands among the unread ones. */
  onReply(bytes: number, connection: Connection): void {
    this.#averageBytes += (bytes - this.#averageBytes) * SMOOTHING;
    const { unreadBytes } = this;
    if (unreadBytes < this.#limits.clientOutputBytes / 4) return;
    this.#slowed.add(connection);
    connection.avoid(this);
    if (unreadBytes > this.#limits.clientOutputBytes) connection.pause(this);
  }

  /**
   * Sends a message, which answers nothing, and which nobody can be kept from sending. False when the client has to go,
   * as with Redis: it owes more reading than its limit; or all clients together exceed theirs, and it more than usual.
   */
  push(bytes: Buffer, message: { start: number; end: number; totalBytes: number }): boolean {
    this.#outbox.append(bytes, message.start, message.end);
    const { unreadBytes } = this;
    if (unreadBytes > this.#limits.clientOutputBytes) return false;
    return message.totalBytes <= this.#limits.bufferedBytes || unreadBytes <= USUAL_UNREAD_BYTES;
  }

  /** The client took something. */
  onDrained(nowMs: number): void {
    this.#progressMs = nowMs;
    if (this.#slowed.size === 0) return;
    const { unreadBytes } = this;
    if (unreadBytes <= this.#limits.clientOutputBytes / 2)
      for (const connection of this.#slowed) connection.resume(this);
    if (unreadBytes < this.#limits.clientOutputBytes / 4) this.letGo();
  }

  /** Whether the client took no byte for too long; asked now and then while a write is in flight. */
  isStalled(nowMs: number): boolean {
    if (!this.#outbox.isWriting) {
      this.#progressMs = nowMs;
      return false;
    }
    const { unsentBytes } = this.#outbox;
    if (unsentBytes !== this.#unsentBytes) {
      this.#unsentBytes = unsentBytes;
      this.#progressMs = nowMs;
    }
    return nowMs - this.#progressMs > this.#limits.clientStallMs;
  }

  /** Node connections are nobody's concern any more. */
  letGo(): void {
    for (const connection of this.#slowed) connection.letGo(this);
    this.#slowed.clear();
  }
}
