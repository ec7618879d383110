/**
 * One client. Requests go in by `#onData`, replies leave by the reply queue, and in between everything that moves
 * work is `#pump`: its conditions are the list of reasons not to dispatch.
 *
 *     socket ─▶ RequestFramer ─▶ #pump ─▶ planner ─▶ Dispatcher ─▶ connections
 *                                                                     │ onReply, onFailure
 *     socket ◀─ Outbox ◀─ ReplyQueue ◀─ #deliver ◀─ judge ◀───────────┘
 *                                          Repairs ◀─┘ (what was refused, or may have been)
 *
 * Invariants: C2 is the reply queue's; C3 holds because a session sticks to one connection a node while it has
 * something in flight there, dispatches under one topology, and dispatches nothing while something is under repair.
 */
import type { Socket } from 'node:net';
import { EMPTY_TOPOLOGY, type Topology } from '../cluster/topology.ts';
import { errorLine, PROTOCOL } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import { RequestFramer } from '../resp/request-framer.ts';
import { CLIENT_BATCH_BYTES } from '../upstream/batch.ts';
import type { Exchange, Failure, Sink } from '../upstream/exchange.ts';
import { Outbox } from '../upstream/outbox.ts';
import { adoptSharing } from '../upstream/shared-reads.ts';
import type { Flushable } from '../upstream/turn.ts';
import { ClientState } from './client-state.ts';
import { Dispatcher } from './dispatcher.ts';
import { failureLine } from './failure-line.ts';
import { HeldRequest, type Until } from './held-request.ts';
import { Intake } from './intake.ts';
import { OutputGuard } from './output-guard.ts';
import { Repairs } from './repairs.ts';
import { ReplyQueue } from './reply-queue.ts';
import type { Runtime } from './runtime.ts';
import { Standing } from './standing.ts';
import { noteSuccess, verdictOf } from './verdict.ts';

export class Session implements Flushable, Sink {
  isScheduled = false;
  readonly client: ClientState;
  /** The topology that this session goes by. */
  topology: Topology = EMPTY_TOPOLOGY;
  readonly standing: Standing;
  readonly runtime: Runtime;
  readonly #socket: Socket;
  readonly #framer: RequestFramer;
  readonly #intake: Intake;
  readonly #outbox: Outbox;
  readonly #replies: ReplyQueue;
  readonly output: OutputGuard;
  readonly repairs: Repairs;
  readonly dispatcher: Dispatcher;
  readonly #onClosed: (session: Session) => void;
  /** `draining`: what was read is still carried out, nothing more is read. `closing`: what is owed is still sent. */
  #state: 'open' | 'draining' | 'closing' | 'closed' = 'open';
  #inputEnded = false;
  #inFlightBytes = 0;
  /** The request that must be answered before the next is dispatched. */
  #exclusive: Exchange | undefined;
  readonly held = new HeldRequest();
  #accountedBytes = 0;

  constructor(accepted: Socket, runtime: Runtime, onClosed: (session: Session) => void) {
    this.runtime = runtime;
    this.standing = new Standing(runtime);
    const socket = adoptSharing(accepted, (chunk) => this.guard(() => this.#onData(chunk)));
    this.#socket = socket;
    this.#onClosed = onClosed;
    this.client = new ClientState(runtime.clients.nextId(), socket, runtime.turn.now());
    this.#framer = new RequestFramer(runtime.limits);
    this.#intake = new Intake(socket, this.#framer);
    this.#outbox = new Outbox(socket, () => this.#onDrained(), CLIENT_BATCH_BYTES);
    this.#replies = new ReplyQueue(this.#outbox, this.client);
    const parts = { outbox: this.#outbox, replies: this.#replies, limits: runtime.limits };
    this.output = new OutputGuard(parts, runtime.turn.now());
    this.repairs = new Repairs(this);
    this.dispatcher = new Dispatcher(this);
    socket.setNoDelay(true);
    socket.on('end', () => this.guard(() => this.#onEnd()));
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  get isBlocked(): boolean {
    return this.#intake.isBlocked;
  }

  /** The client has closed its side, or all is over. */
  get isGone(): boolean {
    return this.#inputEnded || this.#state === 'closed';
  }

  get inFlightCount(): number {
    return this.#replies.length;
  }

  /** Bytes of requests that are not dispatched. */
  get inputBytes(): number {
    return this.#framer.bufferedBytes + this.held.bytes;
  }

  // ── input ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onData(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.client.isActive = true;
    this.#framer.push(chunk);
    if (!this.#intake.isBlocked) this.#pump();
    if (!this.#intake.isBlocked) return;
    this.#framer.keep();
    this.#intake.slow(this.#isLeavable);
    if (this.held.isPaused) this.runtime.turn.schedule(this);
  }

  #onEnd(): void {
    this.#inputEnded = true;
    // As in Redis: a client that waits on a node, or for the end of a pause, and closes its side is gone.
    if (this.#isLeavable) return this.destroy();
    if (!this.#intake.isBlocked) this.#closeWhenDone();
  }

  /** Dispatches requests as long as nothing speaks against it; the only place that does. */
  #pump(): void {
    while (this.#mayDispatch()) {
      const held = this.held.take();
      if (held !== undefined) {
        this.dispatcher.dispatch(held, true);
        continue;
      }
      this.#framer.isRestricted = !this.standing.isAdmitted;
      const step = this.#framer.next();
      if (step === 'more') return this.#onAllTaken();
      if (step === 'error') return this.#onProtocolError();
      this.runtime.counters.requests++;
      this.dispatcher.dispatch(this.#framer.request, false);
    }
    // By the node, so that nothing that it has popped gets lost; once for each request.
    if (this.#state === 'draining' && this.client.unblock?.('error')) this.client.unblock = undefined;
    if (this.#state === 'open' || this.#state === 'draining') this.#intake.block(this.#isLeavable);
  }

  #mayDispatch(): boolean {
    const { limits, counters, topology } = this.runtime;
    if (this.#state !== 'open' && this.#state !== 'draining') return false;
    if (this.#exclusive !== undefined || this.repairs.isActive) return false;
    const inFlight = this.#replies.length;
    if (this.held.isWaiting(inFlight)) return false;
    if (topology !== this.topology) {
      if (inFlight > 0) return false;
      this.topology = topology;
      this.dispatcher.onTopology();
    }
    if (inFlight >= limits.inFlightPerClient || this.#inFlightBytes >= limits.inFlightBytesPerClient) return false;
    return this.output.hasRoom && counters.bufferedBytes < limits.bufferedBytes && !this.dispatcher.isSaturated;
  }

  get #isWaiting(): boolean {
    return this.client.unblock !== undefined || this.dispatcher.lent.size > 0;
  }

  /** It is paused, or waits on a node: its end has to be seen. */
  get #isLeavable(): boolean {
    return this.held.isPaused || this.#isWaiting;
  }

  /** No whole request is left of what was read. */
  #onAllTaken(): void {
    if (this.#state === 'draining') return this.close();
    this.#intake.unblock();
    this.#closeWhenDone();
  }

  #onProtocolError(): void {
    this.runtime.counters.protocolErrors++;
    if (this.#framer.error === PROTOCOL.tlsNotSpoken)
      this.runtime.onClientRefused(this.client.address, 'it speaks TLS');
    this.reply(errorLine(this.#framer.error));
    this.close();
  }

  // ── what the dispatcher does with the session ───────────────────────────────────────────────────────────────

  /** A request was taken: its reply has its place in the order from now on. */
  expect(exchange: Exchange): void {
    this.#replies.expect(exchange);
  }

  /** A request, or a part of one, was sent, or will be: its bytes count as in flight until it is settled. */
  countInFlight(exchange: Exchange): void {
    exchange.countedBytes = exchange.end - exchange.start;
    this.#inFlightBytes += exchange.countedBytes;
  }

  /** Answers the request that is being dispatched. */
  reply(bytes: Buffer): void {
    const exchange = this.dispatcher.newExchange(undefined, 0);
    this.#replies.expect(exchange);
    this.settle(exchange, bytes, 0, bytes.length);
  }

  /** The request that is being dispatched waits, and all behind it; then it is dispatched once more. */
  dispatchAgain(request: Request, answer: Promise<unknown>): void {
    this.held.hold(request, 'looked_up');
    void answer.catch(() => {}).then(() => this.release('looked_up'));
  }

  /** The request that is being dispatched waits, and all behind it, until it is released. */
  postpone(request: Request): void {
    this.held.hold(request, 'unpaused');
  }

  /** What the request that is held waits for has come. */
  release(until: Until): void {
    this.held.release(until);
    if (this.#intake.isBlocked) this.runtime.turn.schedule(this);
  }

  /** The request that is being dispatched comes again when nothing of this session is in flight (C3d). */
  dispatchWhenIdle(request: Request): void {
    this.held.hold(request.copy(), 'idle');
  }

  /** Nothing else is dispatched until this request is settled. */
  holdOthers(exchange: Exchange): void {
    this.#exclusive = exchange;
  }

  /** No more requests are read; the connection ends when all replies are sent. */
  close(): void {
    if (this.#state !== 'open' && this.#state !== 'draining') return;
    this.#state = 'closing';
    // There is nothing to go on with: what is left is to send what is owed.
    this.#intake.isBlocked = false;
    this.#closeWhenDone();
  }

  /** evalgate stops: whole requests that were read are carried out, half of one never came; then the connection ends. */
  drain(): void {
    this.guard(() => {
      if (this.#state !== 'open') return;
      this.#state = 'draining';
      this.#pump();
    });
  }

  // ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────

  onReply(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    try {
      if (exchange.link !== undefined) exchange.link.inFlightCount--;
      if (this.#state === 'closed') return exchange.releaseBytes();
      if (bytes[start] === 0x2d) return this.#onError(exchange, bytes, start, end);
      if (exchange.call !== undefined) noteSuccess(exchange);
      this.#deliver(exchange, bytes, start, end);
    } catch (error) {
      this.#onFault(error);
    }
  }

  onLent(): void {
    this.held.mustSettle = true;
  }

  onFailure(exchange: Exchange, failure: Failure): void {
    try {
      if (exchange.link !== undefined) exchange.link.inFlightCount--;
      this.runtime.counters.failures++;
      if (this.#state === 'closed') exchange.releaseBytes();
      else if (this.dispatcher.mayResend(exchange, failure)) this.repairs.add(exchange, { kind: 'failed', failure });
      else this.deliver(exchange, failureLine(failure));
    } catch (error) {
      this.#onFault(error);
    }
  }

  /** An error reply: the application's business, or ours. */
  #onError(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    const reply = bytes.subarray(start, end);
    const verdict = verdictOf(exchange, reply);
    if (verdict.kind === 'deliver' || !this.dispatcher.mayRepair(exchange, verdict)) {
      this.dispatcher.onErrorDelivered(exchange, reply);
      this.#deliver(exchange, bytes, start, end);
      return;
    }
    this.repairs.add(exchange, { kind: 'judged', verdict, reply: Buffer.from(reply) });
  }

  /** Hands out a reply that evalgate made or kept. */
  deliver(exchange: Exchange, reply: Buffer): void {
    this.#deliver(exchange, reply, 0, reply.length);
  }

  #deliver(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    this.#inFlightBytes -= exchange.countedBytes;
    this.runtime.statistics.onAnswer(exchange, this.client, bytes[start] === 0x2d);
    exchange.releaseBytes();
    const { part } = exchange;
    if (part === undefined) this.settle(exchange, bytes, start, end);
    else part.fanOut.collect(part.index, bytes.subarray(start, end));
    this.repairs.onSettled(exchange);
  }

  /** The final reply of a request: it leaves when those before it have. */
  settle(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    if (this.#state === 'closed') return;
    const { connection } = exchange;
    if (this.#exclusive === exchange) this.#exclusive = undefined;
    if (bytes[start] === 0x2d) this.runtime.statistics.errors.count(bytes, start, end);
    this.#replies.settle(exchange, bytes, start, end);
    this.runtime.turn.schedule(this);
    if (connection !== undefined) this.output.onReply(end - start, connection);
  }

  // ── output ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Once per turn: what is to be sent is sent, what was held up is tried again. */
  flush(): void {
    this.guard(() => {
      if (this.#state === 'closed') return;
      this.#outbox.flush();
      if (this.#intake.isBlocked) this.#pump();
      else this.#closeWhenDone();
      this.#account();
    });
  }

  #onDrained(): void {
    if (this.#state === 'closed') return;
    this.output.onDrained(this.runtime.turn.now());
    if (this.#intake.isBlocked || this.#state === 'closing' || this.#inputEnded || this.#accountedBytes > 0) {
      this.runtime.turn.schedule(this);
    }
  }

  /** Brings the total over all clients up to date. */
  #account(): void {
    const bytes = this.output.unreadBytes + this.#inFlightBytes + this.inputBytes;
    this.runtime.counters.bufferedBytes += bytes - this.#accountedBytes;
    this.#accountedBytes = bytes;
  }

  /** Called by the listener's tick: closes a client that owes us reading for too long, and wakes a blocked one. */
  tick(nowMs: number): void {
    this.client.tick(nowMs);
    if (this.output.isStalled(nowMs)) {
      this.runtime.counters.clientsStalled++;
      this.destroy();
    } else if (this.#intake.isBlocked) {
      this.runtime.turn.schedule(this);
    }
  }

  /** A new topology was published. */
  onTopology(): void {
    this.guard(() => {
      this.repairs.onTopology();
      if (this.#intake.isBlocked) this.runtime.turn.schedule(this);
    });
  }

  // ── end ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #closeWhenDone(): void {
    const isOver = this.#state === 'closing' || (this.#inputEnded && this.#state === 'open');
    // One that is left to answer may wait on a node for ever: a client that is being closed does not wait for that.
    const owesOnlyAWait = this.#replies.length === 1 && this.#isWaiting;
    if (!isOver || (this.#replies.length > 0 && !owesOnlyAWait)) return;
    this.#state = 'closing';
    this.dispatcher.subscriptions?.discard();
    if (this.#outbox.pendingBytes > 0) return this.#outbox.flush();
    this.#intake.hangUp(this.#inputEnded);
  }

  /** Ends the session at once. Idempotent. */
  destroy(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#socket.destroy();
    this.standing.release();
    this.output.letGo();
    this.repairs.discard();
    this.dispatcher.discard();
    this.#replies.discard();
    this.#outbox.discard();
    this.runtime.counters.bufferedBytes -= this.#accountedBytes;
    this.#accountedBytes = 0;
    this.#onClosed(this);
  }

  /** Runs what a socket, a node or a clock set off: an exception in it costs this client its connection, nobody else's. */
  guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #onFault(error: unknown): void {
    this.runtime.onFault(error);
    this.destroy();
  }
}
