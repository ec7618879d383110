/**
 * What becomes of requests that were refused, or may have been: one queue in request order, one request at a time.
 * While it is not empty the session neither dispatches nor reads (C3e).
 *
 *     judged ─▶ confirm ── witness ──▶ refused: act on the witness's reply
 *           │                     └──▶ anything else: the first reply was the script's own, deliver it
 *           ├▶ redirect ─▶ to the node named, with ASKING if it said ASK
 *           ├▶ retry ────▶ after a while, to whoever owns the slot then
 *           ├▶ heal ─────▶ once more with the body
 *           ├▶ load_function ─▶ once more, if the node lacked it and has it now
 *           └▶ denial ── asked whether it is true ──▶ once more in the form in which it came
 *     not_loaded ─▶ SCRIPT LOAD as the proxy's own user, then the call
 *     at_primary ─▶ a read that a replica did not answer: to the owner, at once
 *     failed, no_primary ─▶ as retry: it did not run, or only reads
 *
 * Every way out is bounded: hops by `limits.redirects`, time by `cluster.failover_wait_ms`, the number of requests
 * that wait by `limits.waiting_requests`.
 */
import type { Redirect } from '../cluster/redirect.ts';
import type { Node } from '../cluster/topology.ts';
import { isDenial, judge, type Verdict } from '../plan/judge.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import { functionNameOf, needsLoading, sendPermissionWitness, sendWitness } from '../upstream/call-sender.ts';
import type { Connection } from '../upstream/connection.ts';
import { Exchange, type Failure } from '../upstream/exchange.ts';
import { failureLine } from './failure-line.ts';
import { afterReplica } from './replica-reads.ts';
import { loadScripts } from './script-loading.ts';
import type { Session } from './session.ts';

/** Why a request comes here. */
export type Cause =
  | { readonly kind: 'judged'; readonly verdict: Verdict; readonly reply: Buffer }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'no_primary' }
  /** A read that a replica did not answer. */
  | { readonly kind: 'at_primary' }
  /** An EVALSHA of a user who may not send bodies. */
  | { readonly kind: 'not_loaded' };

interface Repair {
  readonly exchange: Exchange;
  cause: Cause;
  hops: number;
  /** When the cause came, by the turn's clock: those further behind in the queue have waited long enough already. */
  sinceMs: number;
  /** When waiting ends, by the turn's clock. */
  readonly deadlineMs: number;
  /** It went out behind ASKING. */
  isAsking: boolean;
  /** Its witness was sent and has not answered. */
  isAwaiting: boolean;
}

/** Between two looks for a primary; a new topology is looked at at once. */
const LOOK_AGAIN_MS = 100;

export class Repairs {
  readonly #session: Session;
  readonly #queue: Repair[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** The head was sent, or its witness was, and is not settled. */
  #isHeadBusy = false;
  #isRunning = false;

  constructor(session: Session) {
    this.#session = session;
  }

  get isActive(): boolean {
    return this.#queue.length > 0;
  }

  /** Takes over a request; it stays at the head if it was there before. */
  add(exchange: Exchange, trouble: Cause): void {
    const cause = afterReplica(this.#session, exchange, trouble);
    const head = this.#queue[0];
    if (head?.exchange === exchange) {
      head.cause = cause;
      head.sinceMs = this.#session.runtime.turn.now();
      this.#isHeadBusy = false;
      this.#confirm(head);
      this.#runHead();
      return;
    }
    const { counters, limits, turn } = this.#session.runtime;
    if (counters.waiting >= limits.waitingRequests) {
      this.#session.deliver(exchange, errorLine(EVALGATE.tooManyWaiting(limits.waitingRequests)));
      return;
    }
    counters.waiting++;
    const sinceMs = turn.now();
    const deadlineMs = sinceMs + limits.failoverWaitMs;
    const repair: Repair = { exchange, cause, hops: 0, sinceMs, deadlineMs, isAsking: false, isAwaiting: false };
    const at = this.#isHeadBusy || this.#timer !== undefined ? 1 : 0;
    let place = this.#queue.length;
    while (place > at && (this.#queue[place - 1] as Repair).exchange.seq > exchange.seq) place--;
    this.#queue.splice(place, 0, repair);
    this.#confirm(repair);
    this.#runHead();
  }

  /** A request got its reply: if it was the one under repair, the next has its turn. */
  onSettled(exchange: Exchange): void {
    if (this.#queue.length === 0 || this.#queue[0]?.exchange !== exchange) return;
    this.#queue.shift();
    this.#isHeadBusy = false;
    this.#session.runtime.counters.waiting--;
    this.#session.runtime.turn.schedule(this.#session);
    this.#runHead();
  }

  /** A new topology was published: whoever waits for a primary looks at once. */
  onTopology(): void {
    if (this.#timer !== undefined) this.#wake();
  }

  discard(): void {
    clearTimeout(this.#timer);
    this.#session.runtime.counters.waiting -= this.#queue.length;
    for (const { exchange } of this.#queue.splice(0)) exchange.releaseBytes();
  }

  /** A loop, not a recursion: thousands may be settled on the spot, one after the other. */
  #runHead(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      if (this.#isHeadBusy || this.#timer !== undefined || head.isAwaiting) break;
      this.#isHeadBusy = true;
      this.#run(head);
    }
    this.#isRunning = false;
  }

  #run(repair: Repair): void {
    const { cause } = repair;
    if (cause.kind === 'not_loaded' || cause.kind === 'at_primary') return this.#sendToOwner(repair);
    if (cause.kind !== 'judged') return this.#waitForRest(repair, LOOK_AGAIN_MS);
    switch (cause.verdict.kind) {
      case 'deliver':
        return this.#session.deliver(repair.exchange, cause.reply);
      case 'confirm':
      case 'denial':
        // Its witness is awaited, or cannot be had.
        return this.#session.deliver(repair.exchange, cause.reply);
      case 'redirect':
        return this.#follow(repair, cause.verdict.redirect);
      case 'retry':
        if (cause.verdict.refresh) void this.#session.runtime.refresh(repair.exchange.connection?.node);
        return this.#waitForRest(repair, cause.verdict.afterMs);
      case 'heal':
        return this.#heal(repair);
      case 'load_function':
        return this.#loadFunction(repair, cause.reply);
    }
  }

  // ── confirm: the witness of C4 ──────────────────────────────────────────────────────────────────────────────

  /** At once, not when its turn comes: what the witness says is worth as much as it comes soon after the reply. */
  #confirm(repair: Repair): void {
    const { exchange, cause } = repair;
    const { call, connection } = exchange;
    if (cause.kind !== 'judged') return;
    const isDenied = cause.verdict.kind === 'denial';
    if (cause.verdict.kind !== 'confirm' && !isDenied) return;
    if (call === undefined || connection === undefined || connection.state === 'closed') return;
    this.#session.runtime.counters.witnesses++;
    repair.isAwaiting = true;
    const { reply } = cause;
    const sink = {
      onReply: (_: Exchange, bytes: Buffer, start: number, end: number) => {
        const witness = Buffer.from(bytes.subarray(start, end));
        if (isDenied) this.#onPermissionWitness(repair, reply, witness);
        else this.#onWitness(repair, reply, witness);
      },
      onFailure: (_: Exchange, failure: Failure) => this.#onNoWitness(repair, failure),
    };
    const witness = new Exchange(sink, exchange.seq, undefined, exchange.slot);
    if (isDenied) sendPermissionWitness(witness, exchange, call);
    else sendWitness(witness, exchange, call, repair.isAsking);
  }

  /** The user may not run the command that we chose: it is sent as it came, from now on always. */
  #onPermissionWitness(repair: Repair, first: Buffer, witness: Buffer): void {
    const { call } = repair.exchange;
    const isTrue = isDenial(witness) && call !== undefined;
    if (isTrue && call.form === 'eval') this.#session.standing.access.identity.denyForEval();
    else if (isTrue) this.#session.standing.access.identity.denyForEvalsha();
    repair.isAwaiting = false;
    repair.cause = isTrue ? { kind: 'not_loaded' } : { kind: 'judged', verdict: { kind: 'deliver' }, reply: first };
    this.#runHead();
  }

  /** The node is gone before it told whether the call ran: that is what the client hears. */
  #onNoWitness(repair: Repair, failure: Failure): void {
    repair.isAwaiting = false;
    const reply = failureLine({ ...failure, kind: 'lost' });
    repair.cause = { kind: 'judged', verdict: { kind: 'deliver' }, reply };
    this.#runHead();
  }

  #onWitness(repair: Repair, first: Buffer, witness: Buffer): void {
    const judged = {
      slot: repair.exchange.slot,
      isCall: true,
      isFunction: false,
      wentAsEvalsha: false,
      isOurForm: false,
      isWitness: true,
    };
    const verdict = judge(witness, judged, undefined);
    const isForged = verdict.kind === 'deliver';
    if (isForged) this.#session.runtime.counters.forgedReplies++;
    repair.isAwaiting = false;
    repair.cause = { kind: 'judged', verdict, reply: isForged ? first : witness };
    this.#runHead();
  }

  // ── redirect ────────────────────────────────────────────────────────────────────────────────────────────────

  #follow(repair: Repair, redirect: Redirect): void {
    const { runtime } = this.#session;
    const answering = repair.exchange.connection?.node;
    repair.hops++;
    runtime.counters.redirects++;
    if (repair.hops > runtime.limits.redirects || answering === undefined) {
      return this.#session.deliver(repair.exchange, errorLine(EVALGATE.tooManyRedirects(runtime.limits.redirects)));
    }
    const refreshed = redirect.kind === 'moved' ? runtime.refresh(answering) : undefined;
    if (redirect.kind === 'ask') runtime.movingSlots.note(redirect.slot, runtime.turn.now());
    const target = runtime.locate(redirect, answering);
    if (target !== undefined) return this.#sendTo(repair, target, redirect.kind === 'ask');
    void (refreshed ?? runtime.refresh(answering)).then(() => this.#followLater(repair, redirect, answering));
  }

  /** The target was not part of the topology: the node that named it has been asked. */
  #followLater(repair: Repair, redirect: Redirect, answering: Node): void {
    if (this.#queue[0] !== repair || !this.#isHeadBusy) return;
    const target = this.#session.runtime.locate(redirect, answering);
    if (target === undefined) this.#waitForOwner(repair, LOOK_AGAIN_MS);
    else this.#sendTo(repair, target, redirect.kind === 'ask');
  }

  #sendTo(repair: Repair, node: Node, isAsking: boolean): void {
    const { exchange } = repair;
    const dispatcher = this.#session.dispatcher;
    const link = dispatcher.links.to(node);
    const connection = link.take();
    const { refusal } = link.pool;
    if (connection === undefined && refusal !== '') {
      return this.#session.deliver(exchange, failureLine({ kind: 'refused', node, reason: refusal }));
    }
    if (connection === undefined || connection.state === 'closed') return this.#waitForOwner(repair, LOOK_AGAIN_MS);
    repair.isAsking = isAsking;
    const { batch, start, end, call } = exchange;
    if (batch === undefined) return;
    if (call !== undefined && needsLoading(call, connection)) return this.#load(repair, node, connection);
    dispatcher.sendOver(exchange, { link, connection, source: { bytes: batch.buffer, start, end }, isAsking });
  }

  // ── load ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Loads the script of a user who may not, then sends the call over the user's connection. */
  #load(repair: Repair, node: Node, target: Connection): void {
    const script = repair.exchange.call?.script;
    if (script === undefined) return this.#waitForOwner(repair, LOOK_AGAIN_MS);
    const proceed = (step: () => void): void => {
      if (this.#queue[0] === repair && this.#isHeadBusy) step();
    };
    loadScripts(
      this.#session,
      { node, scripts: [script] },
      {
        onLoaded: () => {
          target.marks.add(script);
          proceed(() => this.#sendTo(repair, node, repair.isAsking));
        },
        onFailure: () => proceed(() => this.#waitForOwner(repair, LOOK_AGAIN_MS)),
      },
    );
  }

  // ── heal ────────────────────────────────────────────────────────────────────────────────────────────────────

  #heal(repair: Repair): void {
    const { call, connection } = repair.exchange;
    if (call?.script === undefined || connection === undefined) return this.#waitForOwner(repair, LOOK_AGAIN_MS);
    this.#session.runtime.counters.noscriptHealed++;
    this.#session.runtime.statistics.events.onHealed(call.script, connection.node.address);
    call.mustSendBody = true;
    // A flush, as far as one can tell; where nodes evict, what came by EVAL may have gone alone.
    if (call.script.origin === 'load' || !connection.pool.facts.evictsScripts) connection.pool.dropAllMarks();
    else connection.pool.dropMark(call.script);
    this.#sendTo(repair, connection.node, repair.isAsking);
  }

  /** The reply may be the function's own: only if the node itself says that it lacks it, did it not run. */
  #loadFunction(repair: Repair, reply: Buffer): void {
    const { exchange } = repair;
    const { call, connection } = exchange;
    const name = functionNameOf(exchange);
    if (call === undefined || connection === undefined || name === undefined) {
      return this.#session.deliver(exchange, reply);
    }
    call.mustSendBody = true;
    const { functions, counters } = this.#session.runtime;
    const proceed = (isThere: boolean): void => {
      if (this.#queue[0] !== repair || !this.#isHeadBusy) return;
      if (!isThere) return this.#session.deliver(exchange, reply);
      counters.functionsHealed++;
      this.#sendTo(repair, connection.node, repair.isAsking);
    };
    void functions
      .supply(connection.node, name, repair.sinceMs)
      .then((isThere) => this.#session.guard(() => proceed(isThere)));
  }

  // ── wait ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends to the owner of the slot so long after the cause came, which may be now. */
  #waitForRest(repair: Repair, afterMs: number): void {
    const leftMs = repair.sinceMs + afterMs - this.#session.runtime.turn.now();
    if (leftMs > 0) this.#waitForOwner(repair, leftMs);
    else this.#sendToOwner(repair);
  }

  /** Sends to the owner of the slot after a while, until the deadline. */
  #waitForOwner(repair: Repair, afterMs: number): void {
    this.#session.runtime.counters.retries++;
    if (this.#session.runtime.turn.now() + afterMs > repair.deadlineMs) return this.#giveUp(repair);
    this.#timer = setTimeout(() => this.#session.guard(() => this.#wake()), afterMs);
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const repair = this.#queue[0];
    if (repair !== undefined) this.#sendToOwner(repair);
  }

  #sendToOwner(repair: Repair): void {
    const { shards, bySlot } = this.#session.runtime.topology;
    const { slot } = repair.exchange;
    repair.exchange.isReplicaRead = false;
    const shard = slot === ANY_SLOT ? shards[Math.floor(Math.random() * shards.length)] : bySlot[slot];
    if (shard === undefined) this.#waitForOwner(repair, LOOK_AGAIN_MS);
    else this.#sendTo(repair, shard.primary, false);
  }

  /** The node's own reply if there is one, else what happened. */
  #giveUp({ exchange, cause }: Repair): void {
    const { failoverWaitMs } = this.#session.runtime.limits;
    if (cause.kind === 'judged') {
      this.#session.deliver(exchange, cause.reply);
    } else if (cause.kind === 'failed' && cause.failure.kind !== 'not_sent') {
      this.#session.deliver(exchange, failureLine(cause.failure));
    } else {
      const text = exchange.slot === ANY_SLOT ? EVALGATE.noTopology : EVALGATE.noPrimary(exchange.slot, failoverWaitMs);
      this.#session.deliver(exchange, errorLine(text));
    }
  }
}
