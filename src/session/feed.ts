/**
 * The messages of one node for one session: a dedicated connection in subscriber mode.
 *
 *     subscribe, unsubscribe ─▶ one request, as many confirmations as names; the last stands for the reply
 *     message, pmessage, smessage ─▶ onMessage
 *     sunsubscribe that nobody asked for ─▶ onMovedAway: the slot has left the node
 *
 * A feed ends with its connection; Feeds opens another. What a feed carries is known there, not here.
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { Node } from '../cluster/topology.ts';
import { encodeCommand } from '../resp/encode.ts';
import { PubSubFrame, type SubscriptionVerb } from '../resp/pubsub-frame.ts';
import type { Connection, FrameListener } from '../upstream/connection.ts';
import { Exchange, type Sink } from '../upstream/exchange.ts';
import type { Pool } from '../upstream/pool.ts';

/** Names in one request to a node: a node does nothing else while it works on one. */
const CHUNK = 1000;
/** A connection on which nothing was heard for so long is pinged, so that a node that is gone is noticed. */
const PING_AFTER_MS = 10_000;
const PING = encodeCommand('PING');

export interface FeedEvents {
  /** The frame is borrowed until return. */
  onMessage(feed: Feed, frame: PubSubFrame): void;
  /** The node refused to subscribe to names; the error line is a copy. */
  onRefused(feed: Feed, question: Question, error: Buffer): void;
  /** The node ended a sharded subscription by itself. */
  onMovedAway(feed: Feed, name: string): void;
  /** Everything that was sent is answered. */
  onSettled(feed: Feed): void;
  /** The connection is gone, or was never made. */
  onLost(feed: Feed): void;
}

/** What a node was asked and has not answered. */
export interface Question {
  readonly verb: SubscriptionVerb | 'ping';
  readonly names: readonly string[];
  /** Confirmations still to come. */
  missing: number;
}

const BEGINNINGS: ReadonlySet<string> = new Set(['subscribe', 'psubscribe', 'ssubscribe']);

/** Read and used up within one callback. */
const FRAME = new PubSubFrame();

export class Feed implements FrameListener, Sink {
  readonly node: Node;
  /** Which channels and patterns it carries: all, those of keyspace notifications, or none. */
  role: 'none' | 'keyspace' | 'home' = 'none';
  /** Sharded channels that it carries. */
  shardCount = 0;
  readonly #pool: Pool;
  readonly #connection: Connection;
  readonly #events: FeedEvents;
  readonly #questions = new RingQueue<Question>();
  #heardAtMs: number;
  #isClosed = false;

  private constructor(pool: Pool, connection: Connection, events: FeedEvents) {
    this.node = pool.node;
    this.#pool = pool;
    this.#connection = connection;
    this.#events = events;
    this.#heardAtMs = pool.turn.now();
    connection.listener = this;
  }

  /** Undefined when the node has too many dedicated connections. */
  static open(pool: Pool, events: FeedEvents): Feed | undefined {
    const connection = pool.dedicate();
    return connection === undefined ? undefined : new Feed(pool, connection, events);
  }

  /** Whether the node has answered all that was sent. */
  get isSettled(): boolean {
    return this.#connection.state === 'ready' && this.#questions.length === 0;
  }

  /** Whether the node no longer takes the login of the client's user. */
  get isLoginRefused(): boolean {
    return this.#pool.refusal !== '';
  }

  /** Names are text with one character a byte; those of a sharded verb have one slot. */
  send(verb: SubscriptionVerb, names: readonly string[]): void {
    for (let at = 0; at < names.length && !this.#isClosed; at += CHUNK) {
      const chunk = names.slice(at, at + CHUNK);
      const args = chunk.map((name) => `$${name.length}\r\n${name}\r\n`).join('');
      const text = `*${chunk.length + 1}\r\n$${verb.length}\r\n${verb}\r\n${args}`;
      this.#ask({ verb, names: chunk, missing: chunk.length }, Buffer.from(text, 'latin1'));
    }
  }

  /** Asks for a sign of life when nothing was heard for long. */
  tick(nowMs: number): void {
    if (nowMs - this.#heardAtMs < PING_AFTER_MS || !this.isSettled) return;
    this.#ask({ verb: 'ping', names: [], missing: 0 }, PING);
  }

  #ask(question: Question, bytes: Buffer): void {
    this.#questions.push(question);
    this.#connection.sendOwn(new Exchange(this, 0, undefined, 0), bytes);
  }

  /** Ends it without a word to anybody. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  // ── what the connection tells ───────────────────────────────────────────────────────────────────────────────

  onFrame(bytes: Buffer, start: number, end: number): boolean {
    this.#heardAtMs = this.#pool.turn.now();
    if (this.#isClosed) return true;
    if (!FRAME.read(bytes, start, end)) return false;
    const { word } = FRAME;
    if (word === 'message' || word === 'pmessage' || word === 'smessage') {
      this.#events.onMessage(this, FRAME);
      return true;
    }
    const question = this.#questions.peek();
    if (word === 'sunsubscribe' && !isAnswer(question, FRAME)) {
      this.#events.onMovedAway(this, FRAME.name);
      return true;
    }
    if (question === undefined || question.verb !== word) return false;
    question.missing--;
    return question.missing > 0;
  }

  /** The last confirmation of a request, an error, or a PONG. */
  onReply(_: Exchange, bytes: Buffer, start: number, end: number): void {
    const question = this.#questions.shift();
    if (this.#isClosed || question === undefined) return;
    const isRefused = bytes[start] === 0x2d && BEGINNINGS.has(question.verb);
    if (isRefused) this.#events.onRefused(this, question, Buffer.from(bytes.subarray(start, end)));
    if (this.#questions.length === 0 && !this.#isClosed) this.#events.onSettled(this);
  }

  onFailure(): void {
    // onClosed tells it once for all.
  }

  onClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.onLost(this);
  }
}

/** Nodes confirm names in the order given. */
function isAnswer(question: Question | undefined, frame: PubSubFrame): boolean {
  if (question?.verb !== frame.word) return false;
  return question.names[question.names.length - question.missing] === frame.name;
}
