/**
 * Where something goes next that a node refused before running it, when it has a connection of its own: a transaction,
 * a command that blocks. What Repairs does for requests on shared connections, for one at a time.
 *
 *     judged ─▶ redirect ─▶ the node named, once it is part of the topology
 *            └▶ retry ────▶ after a while, the owner of the slot then
 *     failed ─▶ as retry
 *
 * Bounded: hops by `limits.redirects`, time by `cluster.failover_wait_ms`, how many wait by `limits.waiting_requests`.
 */
import type { Redirect } from '../cluster/redirect.ts';
import type { Node } from '../cluster/topology.ts';
import { judge, type Verdict } from '../plan/judge.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Failure } from '../upstream/exchange.ts';
import { failureLine } from './failure-line.ts';
import type { Session } from './session.ts';

/** Refusals that say where or when to try again. */
export type Refusal = Extract<Verdict, { kind: 'redirect' | 'retry' }>;

export interface Rerouted {
  /** The slot of the keys, or ANY_SLOT. */
  readonly slot: number;
  /** Goes to that node, behind ASKING if need be. */
  sendTo(node: Node, isAsking: boolean): void;
  /** There is nowhere to go: the error for the client. Nothing ran. */
  giveUp(reply: Buffer): void;
}

/** How Redis words what it says of a command to the EXEC that would have run it. */
const ABORTED_BECAUSE = '-EXECABORT Transaction discarded because of: ';

/** The node's refusal of a command, or of an EXEC, of which nothing ran; undefined when the reply is none. */
export function refusalIn(reply: Buffer, slot: number): Refusal | undefined {
  if (reply[0] !== 0x2d) return undefined;
  const isAbort = reply.toString('latin1', 0, ABORTED_BECAUSE.length) === ABORTED_BECAUSE;
  const line = isAbort ? Buffer.concat([Buffer.from('-'), reply.subarray(ABORTED_BECAUSE.length)]) : reply;
  const verdict = judge(
    line,
    { slot, isCall: false, isFunction: false, wentAsEvalsha: false, isOurForm: false, isWitness: false },
    undefined,
  );
  return verdict.kind === 'redirect' || verdict.kind === 'retry' ? verdict : undefined;
}

/** Between two looks for an owner. */
const LOOK_AGAIN_MS = 100;

export class Reroute {
  readonly #session: Session;
  readonly #what: Rerouted;
  #hops = 0;
  #deadlineMs: number | undefined;
  /** What the client is told when waiting was in vain; undefined: that there is no primary. */
  #reply: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isCancelled = false;

  constructor(session: Session, what: Rerouted) {
    this.#session = session;
    this.#what = what;
  }

  /** To the owner of the slot, now if there is one. */
  toOwner(): void {
    const { shards, bySlot } = this.#session.runtime.topology;
    const { slot } = this.#what;
    const shard = slot === ANY_SLOT ? shards[Math.floor(Math.random() * shards.length)] : bySlot[slot];
    if (shard === undefined) this.#wait(LOOK_AGAIN_MS);
    else this.#go(shard.primary, false);
  }

  /** The node refused it with that reply. */
  judged(refusal: Refusal, reply: Buffer, answering: Node): void {
    this.#reply = reply;
    if (refusal.kind === 'redirect') return this.#follow(refusal.redirect, answering);
    if (refusal.refresh) void this.#session.runtime.refresh(answering);
    this.#wait(refusal.afterMs);
  }

  /** There was no reply, and it did not run or only reads. */
  failed(failure: Failure): void {
    if (failure.kind === 'refused') return this.#giveUp(failureLine(failure));
    void this.#session.runtime.refresh(undefined);
    this.#reply = failure.kind === 'not_sent' ? undefined : this.#reply;
    this.#wait(LOOK_AGAIN_MS);
  }

  /** It was taken: what comes next is another trouble. */
  settled(): void {
    this.#stopWaiting();
    this.#hops = 0;
  }

  /** It is of no interest any more. */
  cancel(): void {
    this.#isCancelled = true;
    this.#stopWaiting();
  }

  #follow(redirect: Redirect, answering: Node): void {
    const { runtime } = this.#session;
    this.#hops++;
    runtime.counters.redirects++;
    if (this.#hops > runtime.limits.redirects) {
      return this.#giveUp(errorLine(EVALGATE.tooManyRedirects(runtime.limits.redirects)));
    }
    const refreshed = redirect.kind === 'moved' ? runtime.refresh(answering) : undefined;
    const target = runtime.locate(redirect, answering);
    if (target !== undefined) return this.#go(target, redirect.kind === 'ask');
    const proceed = (): void => {
      if (this.#isCancelled) return;
      const found = runtime.locate(redirect, answering);
      if (found === undefined) this.#wait(LOOK_AGAIN_MS);
      else this.#go(found, redirect.kind === 'ask');
    };
    void (refreshed ?? runtime.refresh(answering)).then(() => this.#session.guard(proceed));
  }

  #go(node: Node, isAsking: boolean): void {
    this.#what.sendTo(node, isAsking);
  }

  #wait(afterMs: number): void {
    const { counters, limits, turn } = this.#session.runtime;
    const nowMs = turn.now();
    if (this.#deadlineMs === undefined) {
      if (counters.waiting >= limits.waitingRequests) {
        return this.#giveUp(errorLine(EVALGATE.tooManyWaiting(limits.waitingRequests)));
      }
      counters.waiting++;
      this.#deadlineMs = nowMs + limits.failoverWaitMs;
    }
    counters.retries++;
    if (nowMs + afterMs > this.#deadlineMs) return this.#giveUp(this.#reply ?? this.#noPrimary());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#session.guard(() => this.toOwner()), afterMs);
  }

  #noPrimary(): Buffer {
    const { slot } = this.#what;
    const { failoverWaitMs } = this.#session.runtime.limits;
    return errorLine(slot === ANY_SLOT ? EVALGATE.noTopology : EVALGATE.noPrimary(slot, failoverWaitMs));
  }

  #giveUp(reply: Buffer): void {
    this.settled();
    this.#what.giveUp(reply);
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    if (this.#deadlineMs !== undefined) this.#session.runtime.counters.waiting--;
    this.#deadlineMs = undefined;
    this.#reply = undefined;
  }
}
