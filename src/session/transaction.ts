/**
 * MULTI, EXEC, DISCARD, WATCH and UNWATCH of one client, on a connection of its own at the owner of one slot.
 *
 *     MULTI ─▶ +OK from here        first command ─▶ pinned: MULTI goes up, and with its OK what was said so far
 *     command ─▶ node: +QUEUED, or its error, which spoils     refused here ─▶ spoiled too
 *     EXEC ─▶ node: the array       spoiled, or a broken watch ─▶ DISCARD goes up, EXECABORT or null from here
 *
 * Until EXEC nothing has run, and a node that refuses one command (MOVED, ASK …) aborts the EXEC behind it as well. So a
 * transaction whose node refuses it or is lost moves: it is said again, from the log, to whoever owns the slot. What was
 * watched does not move: the watch is broken, and EXEC answers null, as if a watched key had changed.
 *
 * Nothing else of the session is in flight when it begins (C3d), and nothing is dispatched until EXEC is answered.
 */
import type { Node } from '../cluster/topology.ts';
import type { Command } from '../command/table.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { encodeCommand, encodeNullArray, OK } from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Exchange, Failure } from '../upstream/exchange.ts';
import type { Dispatcher } from './dispatcher.ts';
import { failureLine } from './failure-line.ts';
import { ABORTED, Fate } from './fate.ts';
import { Pin, type PinEvents } from './pin.ts';
import { type QueuedCommand, QueuedCommands, sizeOf } from './queued-commands.ts';
import { type Refusal, Reroute, type Rerouted, refusalIn } from './reroute.ts';

const EXEC = encodeCommand('EXEC');
const DISCARD = encodeCommand('DISCARD');

/** How a transaction ends: by the node's EXEC, or by DISCARD there and a reply from here. */
interface Ending {
  readonly exchange: Exchange;
  readonly action: 'exec' | 'discard';
  /** EXEC was given to the connection that is pinned. */
  isExecSent: boolean;
}

export class Transaction implements PinEvents, Rerouted {
  /** Between MULTI and EXEC or DISCARD. */
  isOpen = false;
  /** The slot of its keys, watched ones included; ANY_SLOT before the first. */
  slot = ANY_SLOT;
  readonly #dispatcher: Dispatcher;
  #pin: Pin | undefined;
  readonly #fate = new Fate();
  /** The WATCH that is being answered. */
  #watching: { readonly exchange: Exchange; readonly frame: Buffer } | undefined;
  readonly #commands: QueuedCommands;
  #ending: Ending | undefined;
  #reroute: Reroute;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
    this.#commands = new QueuedCommands(dispatcher.session);
    this.#reroute = new Reroute(dispatcher.session, this);
  }

  /** Something is watched, or was: what is read until EXEC must be what the watch is about. */
  get isWatching(): boolean {
    return this.#fate.watch !== 'none' || this.#watching !== undefined;
  }

  // ── what the client says ────────────────────────────────────────────────────────────────────────────────────

  /** MULTI: nothing else of the session is in flight. */
  open(): void {
    this.isOpen = true;
    this.#dispatcher.session.reply(OK);
  }

  /** Something inside MULTI was refused, which spoils it. */
  refuse(reply: Buffer): void {
    this.#fate.spoil();
    this.#dispatcher.session.reply(reply);
  }

  /** A command inside MULTI. */
  queue(slot: number, command: Command | undefined, queued: QueuedCommand): void {
    this.#noticeLoss();
    if (slot !== ANY_SLOT && !this.#takesSlot(slot)) return this.refuse(errorLine(REDIS.crossSlot));
    const exchange = this.#expect(command, sizeOf(queued));
    this.#commands.add(exchange, queued);
    if (this.#pin?.phase === 'queueing') {
      this.#commands.say(this.#pin, exchange, queued);
      this.#commands.trim();
    } else if (this.#pin?.phase !== 'starting') {
      this.#begin();
    }
    if (this.#pin === undefined) this.#holdOthers();
  }

  /** While it looks for its node nothing more is taken. */
  #holdOthers(): void {
    const { first } = this.#commands;
    if (first !== undefined && this.#ending === undefined) this.#dispatcher.session.holdOthers(first);
  }

  /** Whether keys of the slot can be part of the transaction. */
  #takesSlot(slot: number): boolean {
    if (this.slot !== ANY_SLOT) return this.slot === slot;
    this.slot = slot;
    const owner = this.#dispatcher.session.runtime.topology.bySlot[slot]?.primary;
    // Commands without keys went to some master: they are said again to the owner.
    if (this.#pin !== undefined && this.#pin.connection.node.address !== owner?.address) this.#loseConnection();
    return true;
  }

  /** An exchange of the client's request, whose reply comes here. */
  #expect(command: Command | undefined, bytes: number): Exchange {
    const { session } = this.#dispatcher;
    const exchange = this.#dispatcher.newExchange(command, this.slot);
    session.expect(exchange);
    exchange.start = 0;
    exchange.end = bytes;
    session.countInFlight(exchange);
    return exchange;
  }

  // ── WATCH ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** WATCH, outside MULTI; nothing else of the session is in flight. */
  watch(slot: number, frame: Buffer): void {
    const { session } = this.#dispatcher;
    if (this.slot !== ANY_SLOT && this.slot !== slot) return session.reply(errorLine(REDIS.crossSlot));
    this.#noticeLoss();
    if (this.#fate.watch === 'broken') return session.reply(OK);
    this.slot = slot;
    const exchange = this.#expect(session.runtime.planner.command, frame.length);
    session.holdOthers(exchange);
    this.#watching = { exchange, frame };
    if (this.#pin === undefined) this.#reroute.toOwner();
    else this.#sendWatch();
  }

  #sendWatch(): void {
    if (this.#watching === undefined) return;
    this.#pin?.sendWatch(this.#watching.exchange, this.#watching.frame);
  }

  /** The WATCH is answered: by the node, or because nothing more can be watched. */
  #settleWatch(reply: Buffer, watch: 'none' | 'held' | 'broken'): void {
    const { exchange } = this.#watching ?? {};
    if (exchange === undefined) return;
    this.#watching = undefined;
    this.#fate.watch = watch;
    this.#reroute.settled();
    if (watch === 'none') this.#clear();
    this.#dispatcher.session.deliver(exchange, reply);
  }

  // ── the connection ──────────────────────────────────────────────────────────────────────────────────────────

  /** Finds a node for what waits, or tells the one that is pinned that a transaction begins. */
  #begin(): void {
    if (this.#pin === undefined) this.#reroute.toOwner();
    else this.#pin.sendMulti();
  }

  sendTo(node: Node, isAsking: boolean): void {
    const { pool } = this.#dispatcher.links.to(node);
    const connection = pool.dedicate();
    if (connection === undefined) {
      return this.giveUp(errorLine(EVALGATE.tooManyDedicated(node.address, pool.options.maxDedicated)));
    }
    this.#pin = new Pin(connection, isAsking, this);
    if (this.#watching !== undefined) this.#sendWatch();
    else this.#pin.sendMulti();
  }

  /**
   * The node took MULTI: it is told everything that was said so far. Not before: behind a MULTI that is refused,
   * commands would run one by one.
   */
  #sayAll(pin: Pin): void {
    pin.phase = 'queueing';
    this.#commands.sayTo(pin);
    if (this.#ending !== undefined) this.#sendEnding(pin);
  }

  /** The node may have closed the connection while nothing was asked of it. */
  #noticeLoss(): void {
    if (this.#pin?.connection.state === 'closed') this.#loseConnection();
  }

  /** The connection goes while nothing waits for it to be found again, and what it was told must be said anew. */
  #loseConnection(): void {
    const node = this.#pin?.connection.node;
    this.#forgetConnection();
    if (node !== undefined && !this.#commands.isComplete) this.giveUp(this.#notKept(node));
  }

  #notKept(node: Node): Buffer {
    const { inFlightBytesPerClient } = this.#dispatcher.session.runtime.limits;
    return errorLine(EVALGATE.transactionNotKept(node.address, inFlightBytesPerClient));
  }

  /** The connection is of no use any more; what was watched there is lost. */
  #forgetConnection(): void {
    const pin = this.#pin;
    this.#pin = undefined;
    if (this.#ending !== undefined) this.#ending.isExecSent = false;
    this.#fate.breakWatch();
    pin?.forget();
    pin?.connection.close();
  }

  /** What was watched was watched as somebody else: the watch is broken. */
  leaveNode(): void {
    this.#forgetConnection();
  }

  // ── EXEC and DISCARD ────────────────────────────────────────────────────────────────────────────────────────

  end(action: 'exec' | 'discard'): void {
    const { session } = this.#dispatcher;
    this.#noticeLoss();
    const isWithoutNode = this.#pin === undefined || (action === 'discard' && this.#pin.phase === 'idle');
    const needsNode = action === 'exec' && this.#commands.count > 0 && this.#fate.mayRun;
    if (isWithoutNode && this.#commands.waitingCount === 0 && !needsNode) {
      const reply = this.#replyFromHere(action);
      this.abandon();
      return session.reply(reply);
    }
    const exchange = this.#expect(session.runtime.planner.command, EXEC.length);
    session.holdOthers(exchange);
    this.#ending = { exchange, action, isExecSent: false };
    if (this.#pin?.phase === 'queueing') this.#sendEnding(this.#pin);
    else if (this.#pin?.phase !== 'starting' && this.#commands.waitingCount === 0) this.#begin();
  }

  /** EXEC waits for scripts that have to be loaded first. */
  #sendEnding(pin: Pin): void {
    const ending = this.#ending;
    if (ending === undefined) return;
    if (ending.action === 'discard' || !this.#fate.mayRun) return this.#sayEnding(pin, ending);
    const isStillHere = (): boolean => this.#pin === pin;
    this.#commands.loadScripts(pin.connection, {
      onLoaded: () => isStillHere() && this.#sayEnding(pin, ending),
      onFailure: (failure) => isStillHere() && this.#onLost(failure),
    });
  }

  #sayEnding(pin: Pin, ending: Ending): void {
    ending.isExecSent = ending.action === 'exec' && this.#fate.mayRun;
    pin.send(ending.exchange, ending.isExecSent ? EXEC : DISCARD);
  }

  #replyFromHere(action: 'exec' | 'discard'): Buffer {
    return this.#fate.replyTo(action, this.#dispatcher.session.client.protocol);
  }

  #finish(reply: Buffer): void {
    const { exchange } = this.#ending ?? {};
    this.abandon();
    if (exchange !== undefined) this.#dispatcher.session.deliver(exchange, reply);
  }

  /** The transaction and its watch are over; the connection is given back, or destroyed if it owes replies. */
  abandon(): void {
    const { connection } = this.#pin ?? {};
    this.#pin?.forget();
    this.#pin = undefined;
    connection?.pool.giveBack(connection, 'used');
    this.#clear();
  }

  #clear(): void {
    this.#forgetConnection();
    this.#reroute.cancel();
    this.#reroute = new Reroute(this.#dispatcher.session, this);
    this.isOpen = false;
    this.slot = ANY_SLOT;
    this.#watching = undefined;
    this.#fate.clear();
    this.#ending = undefined;
    this.#commands.clear();
  }

  /** The client is gone: nothing of it stays at the node. */
  discard(): void {
    this.#clear();
  }

  // ── what the node says ──────────────────────────────────────────────────────────────────────────────────────

  onPinReply(exchange: Exchange, reply: Buffer): void {
    this.#dispatcher.session.guard(() => this.#onReply(exchange, reply));
  }

  #onReply(exchange: Exchange, reply: Buffer): void {
    const pin = this.#pin;
    if (pin === undefined) return;
    if (exchange === this.#ending?.exchange) return this.#onEnding(this.#ending, reply);
    const refusal = refusalIn(reply, this.slot);
    if (refusal !== undefined) return this.#onRefused(refusal, Buffer.from(reply));
    if (exchange === this.#watching?.exchange) {
      return this.#settleWatch(reply, reply[0] !== 0x2d || this.#fate.watch === 'held' ? 'held' : 'none');
    }
    if (pin.phase === 'starting') {
      if (reply[0] === 0x2d) return this.giveUp(Buffer.from(reply));
      return this.#sayAll(pin);
    }
    if (this.#commands.isOursDenied(reply)) return this.#onDenied(pin.connection.node);
    if (reply[0] === 0x2d) this.#fate.spoil();
    if (!this.#commands.takeReply()) return;
    this.#reroute.settled();
    this.#dispatcher.session.deliver(exchange, reply);
  }

  #onEnding(ending: Ending, reply: Buffer): void {
    if (!ending.isExecSent) return this.#finish(this.#replyFromHere(ending.action));
    const refusal = refusalIn(reply, this.slot);
    if (refusal === undefined) {
      this.#commands.countCalls(reply);
      if (this.#pin !== undefined) this.#dispatcher.noteWrite(this.#pin.connection.node);
      return this.#finish(reply);
    }
    if (this.#fate.watch !== 'none') return this.#finish(encodeNullArray(this.#dispatcher.session.client.protocol));
    this.#onRefused(refusal, Buffer.from(reply));
  }

  #onRefused(refusal: Refusal, reply: Buffer): void {
    const node = this.#pin?.connection.node;
    if (node === undefined) return;
    this.#forgetConnection();
    if (this.#mayMove(node)) this.#reroute.judged(refusal, reply, node);
  }

  /** The user may not send bodies: all is said again as it came, from now on always. An EXEC behind it has aborted. */
  #onDenied(node: Node): void {
    this.#dispatcher.session.standing.identity.denyForEvalsha();
    this.#forgetConnection();
    if (this.#mayMove(node)) this.#reroute.toOwner();
  }

  onPinFailure(exchange: Exchange, failure: Failure, isLast: boolean): void {
    this.#dispatcher.session.guard(() => this.#onFailure(exchange, failure, isLast));
  }

  /** Called for every request without a reply, in order: the last one tells whether EXEC may have run. */
  #onFailure(exchange: Exchange, failure: Failure, isLast: boolean): void {
    const ending = this.#ending;
    if (exchange === ending?.exchange && ending.isExecSent && failure.kind !== 'not_sent') {
      this.#dispatcher.session.runtime.counters.failures++;
      const reply = failureLine(failure);
      this.#answerAll(reply);
      return this.#finish(reply);
    }
    if (isLast) this.#onLost(failure);
  }

  #onLost(failure: Failure): void {
    this.#forgetConnection();
    if (this.#mayMove(failure.node)) this.#reroute.failed(failure);
  }

  /** Whether the client waits for something that can be had elsewhere; if not, it is told. */
  #mayMove(node: Node): boolean {
    if (this.#watching !== undefined) {
      if (this.#fate.watch !== 'broken') return true;
      this.#settleWatch(OK, 'broken');
      return false;
    }
    if (this.#commands.waitingCount === 0 && this.#ending === undefined) return false;
    if (this.#ending !== undefined && this.#commands.waitingCount === 0 && !this.#fate.mayRun) {
      this.#finish(this.#replyFromHere(this.#ending.action));
      return false;
    }
    if (!this.#commands.isComplete) {
      this.giveUp(this.#notKept(node));
      return false;
    }
    this.#holdOthers();
    return true;
  }

  /** It did not run, and will not: what waits gets the reply, and the transaction is spoiled. */
  giveUp(reply: Buffer): void {
    this.#forgetConnection();
    if (this.#watching !== undefined) return this.#settleWatch(reply, 'none');
    // A client that waits for no command hears the reason from EXEC.
    this.#fate.spoil(this.#commands.waitingCount > 0 ? ABORTED : reply);
    this.#commands.forgetBytes();
    this.#answerAll(reply);
    if (this.#ending !== undefined) this.#finish(this.#replyFromHere(this.#ending.action));
  }

  #answerAll(reply: Buffer): void {
    const commands = this.#commands;
    for (let exchange = commands.shift(); exchange !== undefined; exchange = commands.shift()) {
      this.#dispatcher.session.deliver(exchange, reply);
    }
  }
}
