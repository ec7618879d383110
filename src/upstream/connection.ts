/**
 * One pipelined connection to a node: requests go out in the order given, and the reply that comes belongs to the
 * oldest request without one.
 *
 *     connecting ──handshake answered──▶ ready ──┐
 *          └───────────── any failure ───────────┴──▶ closed: every exchange is told, once
 *
 *     send ─▶ outbox ─▶ node ─▶ ReplyFramer ─▶ shift the FIFO ─▶ sink.onReply
 *
 * Requests may be given at any time; before `ready` nothing of them is handed to the socket, so when connecting fails
 * they did not run. A reply without a request, or bytes that are no reply, mean that the two sides disagree: the
 * connection is destroyed, never guessed at.
 *
 * A connection that carries subscriptions has a FrameListener, which sees every frame first: messages answer nobody.
 * Without one, pushes (RESP3) are dropped: they belong to nobody, and never take a request's place.
 */
import type { Socket } from 'node:net';
import { RingQueue } from '../base/ring-queue.ts';
import type { Node } from '../cluster/topology.ts';
import { ReplyFramer } from '../resp/reply-framer.ts';
import { NODE_BATCH_BYTES } from './batch.ts';
import type { Exchange, Failure } from './exchange.ts';
import { Handshake, type HandshakeProblem } from './handshake.ts';
import { Marks } from './marks.ts';
import { connectProblem, tlsOptionsFor } from './node-tls.ts';
import { Outbox } from './outbox.ts';
import type { Pool } from './pool.ts';
import { connectSharing, connectSharingSecure } from './shared-reads.ts';
import type { Flushable } from './turn.ts';

/** Takes the frames that answer no request. */
export interface FrameListener {
  /** A frame stands in bytes [start, end), borrowed until return; false: it is the reply to the oldest request. */
  onFrame(bytes: Buffer, start: number, end: number): boolean;
  /** The connection is gone; called once. */
  onClosed(reason: string): void;
}

/** A connection serves thousands of clients: its queue is not shrunk between bursts. */
const KEEP_SLOTS = 16 * 1024;

export class Connection implements Flushable {
  isScheduled = false;
  readonly pool: Pool;
  readonly marks = new Marks();
  state: 'connecting' | 'ready' | 'closed' = 'connecting';
  /** Its head may take as long as it likes: a command that blocks. */
  isWaiting = false;
  /** Who waits on it: the WAITs of several sessions may stand behind each other. */
  lentCount = 0;
  /** One of them is gone, and its WAIT may stand there for ever. */
  isAbandoned = false;
  /** The node's number for it, once somebody asked; empty when the node does not tell. */
  clientId: string | undefined;
  /** Since when, by the turn's clock, nobody uses it. */
  spareSinceMs = 0;
  listener: FrameListener | undefined = undefined;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #framer: ReplyFramer;
  readonly #handshake: Handshake;
  /** Requests without a reply, oldest first. */
  readonly #unanswered = new RingQueue<Exchange>(KEEP_SLOTS);
  /** How many of them were handed to the socket. */
  #handedCount = 0;
  #readAtMs = 0;
  #connectTimer: NodeJS.Timeout;
  /** Who holds back reading, because it cannot take more. */
  readonly #pausers = new Set<object>();
  readonly #avoiders = new Set<object>();
  /** It ends because nobody needs it: that says nothing of the node. */
  #isUnneeded = false;

  constructor(pool: Pool) {
    this.pool = pool;
    const { node, options } = pool;
    this.#framer = new ReplyFramer(options.maxReplyBytes);
    const address = { host: node.host, port: node.port, noDelay: true, keepAlive: true };
    const onBytes = (bytes: Buffer) => this.#onBytes(bytes);
    const { tls } = options;
    this.#socket =
      tls === undefined
        ? connectSharing(address, onBytes)
        : connectSharingSecure({ ...address, ...tlsOptionsFor(tls, node.host) }, onBytes);
    // What was queued while a write was in flight follows by itself: handed over before our next flush.
    this.#outbox = new Outbox(
      this.#socket,
      () => {
        this.#handedCount = this.#unanswered.length;
      },
      NODE_BATCH_BYTES,
    );
    this.#handshake = new Handshake(pool);
    this.#connectTimer = this.#startConnectTimer();
    this.#socket.on(tls === undefined ? 'connect' : 'secureConnect', () => this.#begin());
    this.#socket.on('error', (error) => {
      const isHandshake = tls !== undefined && this.state === 'connecting';
      this.destroy('lost', connectProblem(error, isHandshake));
    });
    this.#socket.on('close', () => this.destroy('lost', 'closed by the node'));
  }

  get node(): Node {
    return this.pool.node;
  }

  get unansweredCount(): number {
    return this.#unanswered.length;
  }

  /** The request whose reply comes next. */
  get head(): Exchange | undefined {
    return this.#unanswered.peek();
  }

  /** Of the requests without a reply the one at `index` from the oldest. */
  unansweredAt(index: number): Exchange | undefined {
    return this.#unanswered.at(index);
  }

  /** When the chunk came that is being read, by the turn's clock. */
  get readAtMs(): number {
    return this.#readAtMs;
  }

  /** Tells those who wait for a reply that it will not answer others for long. */
  tellLent(): void {
    for (let i = 0; i < this.#unanswered.length; i++) this.#unanswered.at(i)?.sink.onLent?.();
  }

  /** Bytes queued that the node has not taken. */
  get pendingBytes(): number {
    return this.#outbox.pendingBytes;
  }

  /** Bytes of a reply that is not whole yet. */
  get bufferedBytes(): number {
    return this.#framer.bufferedBytes;
  }

  get isPaused(): boolean {
    return this.#pausers.size > 0;
  }

  /** Whether it is, or may soon be, held up by a client that does not read. */
  get isAvoided(): boolean {
    return this.#avoiders.size > 0;
  }

  /** Sends the request in bytes [start, end); the exchange owns a copy of them from now on. */
  send(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    const batch = this.#outbox.append(bytes, start, end);
    exchange.ownLast(batch, end - start);
    this.#enqueue(exchange);
  }

  /** Sends a request made of a head and the rest [start, end) of another. */
  sendJoined(exchange: Exchange, head: readonly Buffer[], tail: { bytes: Buffer; start: number; end: number }): void {
    let length = tail.end - tail.start;
    for (const piece of head) length += piece.length;
    const batch = this.#outbox.reserve(length);
    for (const piece of head) batch.append(piece, 0, piece.length);
    batch.append(tail.bytes, tail.start, tail.end);
    this.#outbox.grew(length);
    exchange.ownLast(batch, length);
    this.#enqueue(exchange);
  }

  /** Sends a request of our own, which is never sent again. */
  sendOwn(exchange: Exchange, bytes: Buffer): void {
    this.#outbox.append(bytes, 0, bytes.length);
    this.#enqueue(exchange);
  }

  #enqueue(exchange: Exchange): void {
    const { turn } = this.pool;
    turn.schedule(this);
    exchange.connection = this;
    exchange.sinceMs = turn.now();
    if (exchange.takenUs === 0) exchange.takenUs = turn.lastUs;
    this.#unanswered.push(exchange);
  }

  flush(): void {
    if (this.state !== 'ready') return;
    this.#handedCount = this.#unanswered.length;
    this.#outbox.flush();
  }

  /** Stops reading until `resume` with the same object. */
  pause(pauser: object): void {
    this.#pausers.add(pauser);
    this.#socket.pause();
  }

  resume(pauser: object): void {
    if (this.#pausers.delete(pauser) && this.#pausers.size === 0) this.#socket.resume();
  }

  /** Sessions that are idle here should take another connection, until `letGo` with the same object. */
  avoid(avoider: object): void {
    this.#avoiders.add(avoider);
  }

  letGo(avoider: object): void {
    this.#avoiders.delete(avoider);
    this.resume(avoider);
  }

  #startConnectTimer(): NodeJS.Timeout {
    const { connectTimeoutMs } = this.pool.options;
    return setTimeout(() => this.destroy('not_sent', `no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
  }

  /** Writes the handshake, past the outbox, which waits for its answers. */
  #begin(): void {
    this.#sayOn(this.#handshake.begin());
  }

  #sayOn(bytes: Buffer): void {
    if (bytes.length > 0) this.#socket.write(bytes);
    if (this.#handshake.isDone) this.#becomeReady();
  }

  /** C7: RESET and the handshake once more; what is sent meanwhile waits for their answers. Nothing is unanswered. */
  renew(): void {
    this.state = 'connecting';
    this.#connectTimer = this.#startConnectTimer();
    this.#socket.write(this.#handshake.renew());
  }

  #becomeReady(): void {
    clearTimeout(this.#connectTimer);
    this.state = 'ready';
    this.pool.onReady();
    this.pool.turn.schedule(this);
  }

  /** An exception in here is a bug: it costs this connection, not the process. */
  #onBytes(bytes: Buffer): void {
    try {
      this.#onData(bytes);
    } catch (error) {
      this.pool.onFault(error);
      this.destroy('desynchronized', 'evalgate failed to read its replies');
    }
  }

  #onData(chunk: Buffer): void {
    this.#readAtMs = this.pool.turn.now();
    this.#framer.push(chunk);
    for (;;) {
      const step = this.#framer.next();
      if (step === 'more') return;
      if (step === 'too_large') {
        this.destroy('too_large', `a reply larger than ${this.pool.options.maxReplyBytes} bytes`);
        return;
      }
      // In RESP2 a push is no frame at all: the two sides disagree.
      if (step === 'push' && this.pool.access.protocol === 3 && !this.#isListenedTo) continue;
      if (!(step === 'reply' || (step === 'push' && this.#isListenedTo)) || !this.#take()) {
        this.destroy('desynchronized', 'sent bytes that are no reply');
        return;
      }
      if (this.state === 'closed') return;
    }
  }

  get #isListenedTo(): boolean {
    return this.listener !== undefined && this.state !== 'connecting';
  }

  /** Hands the reply that the framer found to whom it belongs; false when it belongs to nobody. */
  #take(): boolean {
    const { bytes, start, end } = this.#framer;
    if (this.state === 'connecting') return this.#takeHandshake(bytes.subarray(start, end));
    if (this.listener?.onFrame(bytes, start, end)) return true;
    const exchange = this.#handedCount > 0 ? this.#unanswered.shift() : undefined;
    if (exchange === undefined) return false;
    this.#handedCount--;
    const next = this.#unanswered.peek();
    if (next !== undefined) next.sinceMs = this.#readAtMs;
    exchange.sink.onReply(exchange, bytes, start, end);
    return true;
  }

  #takeHandshake(reply: Buffer): boolean {
    if (this.#handshake.isDone) return false;
    const problem = this.#handshake.onReply(reply);
    if (problem !== undefined) this.#failHandshake(problem);
    else this.#sayOn(this.#handshake.goOn());
    return true;
  }

  #failHandshake({ isRefusal, text }: HandshakeProblem): void {
    if (isRefusal) this.pool.onRefused(text);
    this.destroy(isRefusal ? 'refused' : 'not_sent', text);
  }

  /** Ends a connection that nobody needs any more, as `destroy`, without taking it for a failure of the node. */
  close(): void {
    this.#isUnneeded = true;
    this.destroy('lost', 'no longer needed');
  }

  /** Ends the connection; every request without a reply is told why, in order. Idempotent. */
  destroy(kind: Failure['kind'], reason: string): void {
    if (this.state === 'closed') return;
    const wasReady = this.state === 'ready';
    this.state = 'closed';
    // Now is when those in flight learn of it: nothing was read that would have told the time.
    this.pool.turn.now();
    clearTimeout(this.#connectTimer);
    this.#socket.destroy();
    this.#outbox.discard();
    this.marks.clear();
    this.pool.onClosed(this, { kind, reason, wasReady, isUnneeded: this.#isUnneeded });
    const sentKind = kind === 'not_sent' ? 'lost' : kind;
    const unsentKind = kind === 'refused' ? kind : 'not_sent';
    const { node } = this;
    for (let exchange = this.#unanswered.shift(); exchange !== undefined; exchange = this.#unanswered.shift()) {
      const wasSent = this.#handedCount > 0;
      if (wasSent) this.#handedCount--;
      exchange.sink.onFailure(exchange, { kind: wasSent ? sentKind : unsentKind, node, reason });
    }
    this.listener?.onClosed(reason);
  }
}
