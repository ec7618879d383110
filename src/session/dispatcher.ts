/**
 * Carries out the plan of a request: makes its exchange, chooses the connection, sends. One a session.
 *
 *     plan ─▶ forward, call ─▶ Link of the slot's primary ─▶ connection      only reads ─▶ replica-reads.ts
 *          ├▶ split, broadcast ─▶ FanOut of parts, each with its own exchange
 *          ├▶ local ─▶ local-commands.ts        script_command ─▶ script-commands.ts
 *          ├▶ scan, randomkey ─▶ walks.ts       what cannot be sent now ─▶ Repairs
 *          └▶ transaction, and all that comes inside it ─▶ multi.ts      block ─▶ blocking.ts
 */
import type { Node, Shard } from '../cluster/topology.ts';
import type { Command } from '../command/table.ts';
import { planBeforeLogin } from '../plan/before-login.ts';
import type { Verdict } from '../plan/judge.ts';
import { isErrorReply, merge, mergeSplit } from '../plan/merge.ts';
import { ANY_SLOT, type BroadcastPlan, type CallPlan, type Plan, type SplitPlan } from '../plan/plan.ts';
import { asReadOnly } from '../plan/read-only.ts';
import { EVALGATE, errorLine, REDIS, withSuffix } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import { SHA_LENGTH } from '../script/sha.ts';
import type { Access } from '../upstream/access.ts';
import { Batch } from '../upstream/batch.ts';
import { needsLoading, type Source, sendExchange } from '../upstream/call-sender.ts';
import type { Connection } from '../upstream/connection.ts';
import { Exchange, type Failure } from '../upstream/exchange.ts';
import type { Link } from '../upstream/link.ts';
import type { Pool } from '../upstream/pool.ts';
import { startBlocking } from './blocking.ts';
import { failureLine } from './failure-line.ts';
import { FanOut } from './fan-out.ts';
import { Links } from './links.ts';
import { runLocal } from './local-commands.ts';
import { lookUpUnknown } from './look-ups.ts';
import { dispatchQueued, runTransaction } from './multi.ts';
import { startPubSub } from './pubsub-queries.ts';
import type { Cause } from './repairs.ts';
import { sendToReplica } from './replica-reads.ts';
import { runScriptCommand } from './script-commands.ts';
import type { Session } from './session.ts';
import { runSubscription, type Subscriptions } from './subscriptions.ts';
import { Transaction } from './transaction.ts';
import { leaveWait, startWait } from './wait.ts';
import { startRandomKey, startScan } from './walks.ts';

export class Dispatcher {
  readonly session: Session;
  readonly links: Links;
  /** Connections that carry a WAIT or a blocking command of this session. */
  readonly lent = new Set<Connection>();
  /** Since the first request that has to do with pub/sub. */
  subscriptions: Subscriptions | undefined = undefined;
  #seq = 0;
  /** Made when the client first says MULTI or WATCH. */
  #transaction: Transaction | undefined;
  /** The pool that made the session stop, until it has room again. */
  #saturated: Pool | undefined;

  constructor(session: Session) {
    this.session = session;
    this.links = new Links(session.runtime.upstream, session.standing.access);
  }

  /** Between WATCH and EXEC nothing is read from replicas, which may have an older value than the one that is watched. */
  get isWatching(): boolean {
    return this.#transaction?.isWatching === true;
  }

  /** Whether a node has so much queued that nothing more should be read. */
  get isSaturated(): boolean {
    if (this.#saturated === undefined) return false;
    if (!this.#saturated.isSaturated) this.#saturated = undefined;
    return this.#saturated !== undefined;
  }

  /** The session goes by a new topology from now on; nothing is in flight. */
  onTopology(): void {
    this.links.keep(this.session.topology);
  }

  newExchange(command: Command | undefined, slot: number): Exchange {
    return Exchange.take(this.session, this.#seq++, command, slot);
  }

  /** `isLookedUp`: the store was asked for what the request names. */
  dispatch(request: Request, isLookedUp: boolean): void {
    const { runtime, standing } = this.session;
    const { account } = standing;
    const { planner } = runtime;
    if (!standing.isAdmitted) return this.#dispatchBeforeLogin(request);
    if (account?.privilege === 'read_only') {
      const allowed = asReadOnly(planner, request, account.username);
      if (Buffer.isBuffer(allowed)) return this.session.reply(allowed);
      return this.#plan(allowed, isLookedUp);
    }
    this.#plan(request, isLookedUp);
  }

  #dispatchBeforeLogin(request: Request): void {
    const { planner, logins } = this.session.runtime;
    const plan = planBeforeLogin(planner, request, logins.noauth);
    this.#carryOut(plan, undefined, request);
  }

  #plan(request: Request, isLookedUp: boolean): void {
    const { runtime } = this.session;
    const { planner } = runtime;
    const transaction = this.#transaction?.isOpen ? this.#transaction : undefined;
    const plan = transaction === undefined ? planner.plan(request) : planner.planQueued(request);
    const { command } = planner;
    this.session.client.command = command;
    if (this.subscriptions?.refuses(command, request)) {
      return this.session.reply(errorLine(REDIS.subscribed(command?.name ?? '')));
    }
    if (!isLookedUp) {
      const answer = lookUpUnknown(runtime, plan, request);
      if (answer !== undefined) return this.session.dispatchAgain(request.copy(), answer);
    }
    if (runtime.clients.pause.holds(command)) return this.session.postpone(request.copy());
    if (transaction === undefined) this.#carryOut(plan, command, request);
    else dispatchQueued(this.session, transaction, plan, request);
    // One that waits comes here again.
    if (!this.session.held.isHolding) runtime.statistics.onRequest(plan, command);
  }

  #carryOut(plan: Plan, command: Command | undefined, request: Request): void {
    switch (plan.kind) {
      case 'forward':
        return this.#forward(this.newExchange(command, plan.slot), request, plan.isReplicaRead);
      case 'call':
        return this.#call(plan, command, request);
      case 'reply':
        return this.session.reply(plan.bytes);
      case 'local':
        return runLocal(this.session, plan.command, request);
      case 'split':
        return this.#split(plan, command);
      case 'broadcast':
        return this.#broadcast(plan, command, request);
      case 'script_command':
        return runScriptCommand(this, plan.action, request);
      case 'wait':
        return startWait(this, request);
      case 'block':
        return startBlocking(this, plan, request);
      case 'transaction':
        this.#transaction ??= new Transaction(this);
        return runTransaction(this.session, this.#transaction, plan, request);
      case 'scan':
        return startScan(this, request);
      case 'randomkey':
        return startRandomKey(this, request);
      case 'subscription':
        return runSubscription(this, plan, request);
      case 'pubsub':
        return startPubSub(this, plan.command, request);
      case 'close':
        return this.session.destroy();
    }
  }

  #forward(exchange: Exchange, request: Request, isReplicaRead: boolean): void {
    this.session.expect(exchange);
    if (isReplicaRead && sendToReplica(this, exchange, request)) return;
    this.#sendToOwner(exchange, request);
  }

  /** To one master, whichever, for its own text. */
  forwardAnywhere(request: Request): void {
    this.#forward(this.newExchange(this.session.runtime.planner.command, ANY_SLOT), request, false);
  }

  #call(plan: CallPlan, command: Command | undefined, request: Request): void {
    const exchange = this.newExchange(command, plan.slot);
    const tail = request.headerStart(2);
    exchange.call = {
      form: plan.form,
      isReadOnly: plan.isReadOnly,
      argc: request.argc,
      keyCount: plan.keyCount,
      script: plan.script,
      bytesForm: plan.form,
      tail: tail - request.start,
      keysBytes: request.headerStart(3 + plan.keyCount) - tail,
      mustSendBody: false,
    };
    this.#forward(exchange, request, plan.isReplicaRead);
    const { call } = exchange;
    if (call.form === call.bytesForm || call.script === undefined) return;
    const { counters } = this.session.runtime;
    if (call.form === 'evalsha') counters.noscriptPrevented++;
    else counters.evalBytesSaved += call.script.body.length - SHA_LENGTH;
  }

  /** Sends to the primary of the exchange's slot; what cannot be sent now waits among the repairs. */
  #sendToOwner(exchange: Exchange, source: Source): void {
    const shard = this.shardFor(exchange.slot);
    const link = shard === undefined ? undefined : this.links.to(shard.primary);
    const connection = link?.take();
    if (connection === undefined && link !== undefined && link.pool.refusal !== '') {
      const { node, refusal } = link.pool;
      return this.session.deliver(exchange, failureLine({ kind: 'refused', node, reason: refusal }));
    }
    if (link === undefined || connection === undefined) return this.#repair(exchange, source, { kind: 'no_primary' });
    if (exchange.call !== undefined && needsLoading(exchange.call, connection)) {
      return this.#repair(exchange, source, { kind: 'not_loaded' });
    }
    this.sendOver(exchange, { link, connection, source, isAsking: false });
    this.session.countInFlight(exchange);
  }

  /** What cannot be sent at once. */
  #repair(exchange: Exchange, source: Source, cause: Cause): void {
    exchange.ownLast(copyOf(source), source.end - source.start);
    this.session.runtime.turn.now();
    exchange.takenUs = this.session.runtime.turn.lastUs;
    this.session.countInFlight(exchange);
    this.session.repairs.add(exchange, cause);
  }

  /** Sends over a link that has given its connection. */
  sendOver(exchange: Exchange, route: Route): void {
    const { link, connection, source, isAsking } = route;
    link.inFlightCount++;
    exchange.link = link;
    if (exchange.command?.isReadonly !== true && !exchange.isReplicaRead) link.noteWrite(connection);
    sendExchange(exchange, connection, source, isAsking);
    if (connection.pendingBytes > link.pool.options.maxPendingBytes) this.#saturated = link.pool;
  }

  /** The shard of a slot under the session's topology; for ANY_SLOT always the same one for the same client. */
  shardFor(slot: number): Shard | undefined {
    const { topology, client } = this.session;
    return slot === ANY_SLOT ? topology.shards[client.id % topology.shards.length] : topology.bySlot[slot];
  }

  #split(plan: SplitPlan, command: Command | undefined): void {
    const parent = this.newExchange(command, ANY_SLOT);
    this.session.expect(parent);
    const fanOut = new FanOut(parent, plan.parts.length, {
      onComplete: (replies) => {
        const parts = replies.map((reply, i) => ({ reply, keys: plan.parts[i]?.keys ?? [] }));
        this.settleMerged(parent, mergeSplit(plan.policy, parts), EVALGATE.partFailed);
      },
    });
    plan.parts.forEach((part, index) => {
      const exchange = this.newExchange(command, part.slot);
      exchange.part = { fanOut, index, isFixed: false };
      const source = { bytes: part.frame, start: 0, end: part.frame.length };
      if (plan.isReplicaRead && sendToReplica(this, exchange, source)) return;
      this.#sendToOwner(exchange, source);
    });
  }

  #broadcast(plan: BroadcastPlan, command: Command | undefined, request: Request): void {
    const parent = this.newExchange(command, ANY_SLOT);
    this.session.expect(parent);
    const routes = this.targets(plan.scope);
    if (routes.length === 0) {
      return this.session.deliver(parent, errorLine(EVALGATE.noTopology));
    }
    const fanOut = new FanOut(parent, routes.length, {
      onComplete: (replies) => {
        const someRan = !replies.every(isErrorReply);
        this.settleMerged(parent, merge(plan.policy, replies), someRan ? EVALGATE.partFailed : '');
      },
    });
    routes.forEach((route, index) => {
      this.sendPart(fanOut, index, { ...route, source: request });
    });
  }

  /** Where a broadcast goes; a node that cannot be reached has no connection. */
  targets(scope: BroadcastPlan['scope']): Target[] {
    const { shards, nodes } = this.session.topology;
    const targets = scope === 'nodes' ? [...nodes.values()] : shards.map((shard) => shard.primary);
    return targets.map((node) => {
      const link = this.links.to(node);
      return { link, connection: link.take() };
    });
  }

  /** The session goes on as somebody else, or in another protocol; nothing is in flight. */
  use(access: Access): void {
    this.#transaction?.leaveNode();
    this.links.use(access);
  }

  /** RESET: what is queued or watched is forgotten. */
  abandonTransaction(): void {
    this.#transaction?.abandon();
  }

  /** The session wrote at the node over a connection of its own, which WAIT cannot ask. */
  noteWrite(node: Node): void {
    this.links.to(node).wroteApart = true;
  }

  /** A connection that waited for this session alone is everybody's again. */
  takeBack(pool: Pool, connection: Connection): void {
    this.lent.delete(connection);
    pool.takeBack(connection);
  }

  /** The client is gone: nobody reads what its lent connections wait for. */
  discard(): void {
    this.subscriptions?.discard();
    this.#transaction?.discard();
    for (const connection of this.lent) leaveWait(connection, this.session);
  }

  /** Sends one part of a broadcast; a node without a connection fails its part at once. */
  sendPart(fanOut: FanOut, index: number, target: Target & { readonly source: Source }): Exchange {
    const { link, connection, source } = target;
    const exchange = this.newExchange(fanOut.parent.command, ANY_SLOT);
    exchange.part = { fanOut, index, isFixed: true };
    if (connection === undefined || connection.state === 'closed') {
      const { node, refusal, problem } = link.pool;
      const failure: Failure =
        refusal === ''
          ? { kind: 'not_sent', node, reason: problem === '' ? 'closed' : problem }
          : { kind: 'refused', node, reason: refusal };
      this.session.deliver(exchange, failureLine(failure));
    } else {
      this.sendOver(exchange, { link, connection, source, isAsking: false });
      this.session.countInFlight(exchange);
    }
    return exchange;
  }

  /** The merged reply, with a suffix if it is an error; replies that do not fit are an error of their own. */
  settleMerged(parent: Exchange, merged: Buffer | undefined, errorSuffix: string): void {
    const reply = merged ?? errorLine(EVALGATE.merge(parent.command?.name ?? ''));
    const isError = reply[0] === 0x2d;
    this.session.deliver(parent, isError && errorSuffix !== '' ? withSuffix(reply, errorSuffix) : reply);
  }

  // ── judgements that need to know how a request was sent ─────────────────────────────────────────────────────

  /** Whether a request without a reply may be sent again (C4). */
  mayResend(exchange: Exchange, failure: Failure): boolean {
    if (exchange.part?.isFixed) return false;
    if (failure.kind === 'not_sent' || (exchange.isReplicaRead && failure.kind !== 'too_large')) return true;
    if (failure.kind === 'refused') return false;
    return failure.kind !== 'too_large' && exchange.call === undefined && exchange.command?.isReadonly === true;
  }

  /** Whether a verdict is acted upon, or the reply delivered as it is. */
  mayRepair(exchange: Exchange, verdict: Verdict): boolean {
    if (exchange.part?.isFixed) return false;
    if (verdict.kind !== 'heal' && verdict.kind !== 'load_function') return true;
    const { call } = exchange;
    if (call === undefined || call.mustSendBody) return false;
    if (verdict.kind === 'load_function') return true;
    // Flushed since it was sent: it is known again, or the NOSCRIPT is right.
    if (call.form === 'evalsha' && (call.script?.number ?? -1) < 0) call.script = this.#scriptNamedBy(exchange);
    const { script } = call;
    if (script === undefined) return false;
    // Its user may not send bodies: only what is known to be allowed is loaded for it, and nothing runs twice.
    const isByShaOnly = this.session.standing.access.identity.mayOnlyEvalsha && call.form === 'evalsha';
    return !isByShaOnly || (script.isAccepted && !script.mimicsNoscript);
  }

  /** The script of an EVALSHA whose sha became known after it was sent. */
  #scriptNamedBy(exchange: Exchange): ReturnType<typeof this.session.runtime.registry.findBySha> {
    const { batch, call, start } = exchange;
    if (batch === undefined || call === undefined) return undefined;
    const shaEnd = start + call.tail - 2;
    return this.session.runtime.registry.find(batch.buffer, shaEnd - 40, shaEnd);
  }

  /** An error reply to a call that went up with its body says something of the script. */
  onErrorDelivered(exchange: Exchange, reply: Buffer): void {
    const script = exchange.call?.script;
    if (script === undefined || exchange.call?.bytesForm !== 'eval') return;
    const text = reply.toString('latin1', 0, 32);
    if (text.startsWith('-NOSCRIPT ')) script.mimicsNoscript = true;
    const isCompileError = text.startsWith('-ERR Error compiling script');
    const isForbidden = text.startsWith('-NOPERM ') && !script.isAccepted;
    if ((isCompileError || isForbidden) && script.origin === 'eval') this.session.runtime.registry.forget(script);
  }
}

export interface Target {
  readonly link: Link;
  readonly connection: Connection | undefined;
}

export interface Route {
  readonly link: Link;
  readonly connection: Connection;
  readonly source: Source;
  readonly isAsking: boolean;
}

/** A request that cannot be sent yet, in a batch of its own. */
function copyOf({ bytes, start, end }: Source): Batch {
  const batch = Batch.take(end - start);
  batch.append(bytes, start, end);
  return batch;
}
