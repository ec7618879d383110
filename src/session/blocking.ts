/**
 * Commands that may block: BLPOP and the like, XREAD and XREADGROUP with BLOCK. Each on a connection of its own, because
 * a node reads nothing more from one that blocks; bounded by `cluster.dedicated_per_node`. As in Redis, the client's next
 * requests wait, and a client that leaves while it is blocked stops waiting at the node too.
 *
 *     idle ─▶ dedicated connection at the owner ─▶ reply: delivered, the connection is kept for the next one
 *                                               ├▶ MOVED, UNBLOCKED: nothing was popped; on to the new owner, with
 *                                               │  the time that is left
 *                                               └▶ lost: a pop may have run; XREAD only reads, and asks again
 */
import type { Node } from '../cluster/topology.ts';
import type { BlockPlan } from '../plan/plan.ts';
import { encodeBulk, encodeCommand } from '../resp/encode.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Connection } from '../upstream/connection.ts';
import { Exchange, type Failure, IGNORE, type Sink } from '../upstream/exchange.ts';
import type { Dispatcher } from './dispatcher.ts';
import { failureLine } from './failure-line.ts';
import { learnClientId, unblockAtNode } from './node-unblock.ts';
import { type Refusal, Reroute, type Rerouted, refusalIn } from './reroute.ts';

const ASKING = encodeCommand('ASKING');
/** A master that becomes a replica says so to those that it blocks (`disconnectAllBlockedClients` in Redis). */
const DEMOTED = '-UNBLOCKED force unblock';
const ROLE_CHANGED: Refusal = { kind: 'retry', afterMs: 10, refresh: true };

export function startBlocking(dispatcher: Dispatcher, plan: BlockPlan, request: Request): void {
  const { session } = dispatcher;
  if (session.inFlightCount > 0) return session.dispatchWhenIdle(request);
  // As in Redis: nobody waits for a client that is gone.
  if (session.isGone) return session.close();
  new BlockingCall(dispatcher, plan, request).start();
}

/** The request, cut around its timeout. */
interface Timeout {
  readonly before: Buffer;
  readonly after: Buffer;
  readonly unit: 's' | 'ms';
  /** When it is over, by the turn's clock. */
  readonly deadlineMs: number;
}

class BlockingCall implements Sink, Rerouted {
  readonly slot: number;
  readonly #dispatcher: Dispatcher;
  readonly #exchange: Exchange;
  readonly #frame: Buffer;
  /** Undefined: without an end. */
  readonly #timeout: Timeout | undefined;
  readonly #reroute: Reroute;
  #connection: Connection | undefined;
  #isMoved = false;

  constructor(dispatcher: Dispatcher, plan: BlockPlan, request: Request) {
    const { session } = dispatcher;
    this.#dispatcher = dispatcher;
    this.slot = plan.slot;
    this.#frame = request.copy().bytes;
    this.#timeout = timeoutOf(plan, request, session.runtime.turn.now());
    this.#reroute = new Reroute(session, this);
    this.#exchange = dispatcher.newExchange(session.runtime.planner.command, plan.slot);
    this.#exchange.sink = this;
  }

  start(): void {
    const { session } = this.#dispatcher;
    session.expect(this.#exchange);
    session.holdOthers(this.#exchange);
    this.#exchange.end = this.#frame.length;
    session.countInFlight(this.#exchange);
    this.#reroute.toOwner();
  }

  sendTo(node: Node, isAsking: boolean): void {
    const { session, links, lent } = this.#dispatcher;
    if (session.isGone) return this.#abandon();
    const { pool } = links.to(node);
    const connection = pool.dedicate();
    if (connection === undefined) {
      return this.giveUp(errorLine(EVALGATE.tooManyDedicated(node.address, pool.options.maxDedicated)));
    }
    this.#connection = connection;
    lent.add(connection);
    connection.isWaiting = true;
    session.client.unblock = (how) => this.#connection !== undefined && unblockAtNode([this.#connection], how);
    learnClientId(connection);
    if (isAsking) connection.sendOwn(new Exchange(IGNORE, 0, undefined, this.slot), ASKING);
    connection.sendOwn(this.#exchange, this.#isMoved ? this.#frameNow() : this.#frame);
    this.#isMoved = true;
  }

  /** The request with the time that is left. */
  #frameNow(): Buffer {
    if (this.#timeout === undefined) return this.#frame;
    const { before, after, unit, deadlineMs } = this.#timeout;
    const leftMs = Math.max(1, Math.round(deadlineMs - this.#dispatcher.session.runtime.turn.now()));
    return Buffer.concat([before, encodeBulk(unit === 's' ? (leftMs / 1000).toFixed(3) : String(leftMs)), after]);
  }

  onReply(_: Exchange, bytes: Buffer, start: number, end: number): void {
    this.#dispatcher.session.guard(() => this.#onReply(bytes.subarray(start, end)));
  }

  #onReply(reply: Buffer): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const isDemoted = reply.toString('latin1', 0, DEMOTED.length) === DEMOTED;
    const refusal = isDemoted ? ROLE_CHANGED : refusalIn(reply, this.slot);
    this.#leave(connection);
    // Behind UNBLOCKED the node closes.
    if (isDemoted) connection.close();
    else connection.pool.giveBack(connection, 'clean');
    if (refusal !== undefined) return this.#reroute.judged(refusal, Buffer.from(reply), connection.node);
    if (this.#exchange.command?.isReadonly !== true) this.#dispatcher.noteWrite(connection.node);
    this.#settle(reply);
  }

  onFailure(_: Exchange, failure: Failure): void {
    this.#dispatcher.session.guard(() => this.#onFailure(failure));
  }

  #onFailure(failure: Failure): void {
    const { session } = this.#dispatcher;
    if (this.#connection !== undefined) this.#leave(this.#connection);
    if (session.isGone) return this.#abandon();
    session.runtime.counters.failures++;
    const mayResend = failure.kind === 'not_sent' || this.#exchange.command?.isReadonly === true;
    if (mayResend) this.#reroute.failed(failure);
    else this.#settle(failureLine(failure));
  }

  giveUp(reply: Buffer): void {
    this.#settle(reply);
  }

  #abandon(): void {
    this.#reroute.cancel();
    this.#dispatcher.session.destroy();
  }

  #leave(connection: Connection): void {
    this.#dispatcher.session.client.unblock = undefined;
    this.#dispatcher.lent.delete(connection);
    this.#connection = undefined;
  }

  #settle(reply: Buffer): void {
    this.#reroute.cancel();
    this.#dispatcher.session.deliver(this.#exchange, reply);
  }
}

/** Where the timeout stands and when it is over; undefined when there is none, or it is for the node to refuse. */
function timeoutOf({ timeoutIndex, unit }: BlockPlan, request: Request, nowMs: number): Timeout | undefined {
  if (timeoutIndex === 0 || timeoutIndex >= request.argc) return undefined;
  const value = Number(request.argText(timeoutIndex));
  if (!(value > 0)) return undefined;
  const { bytes, start, end } = request;
  return {
    before: Buffer.from(bytes.subarray(start, request.headerStart(timeoutIndex))),
    after: Buffer.from(bytes.subarray(request.headerStart(timeoutIndex + 1), end)),
    unit,
    deadlineMs: nowMs + (unit === 's' ? value * 1000 : value),
  };
}
