/**
 * Pub/sub for one client: its subscriptions, their confirmations, and the messages that come of them.
 *
 *     SUBSCRIBE ─▶ Subscribed ─▶ Feeds ─▶ nodes confirm ─▶ the client's confirmations, in the order of its requests
 *     message ◀─── is it subscribed, and confirmed? ◀─── Feeds
 *
 * A request of this kind runs alone: what was sent before is answered, and what comes behind it waits. So the counts are
 * exact, subscriber mode begins and ends between two requests, and a confirmation leaves as soon as it is there. A
 * message never overtakes the confirmation of its subscription: before that it is dropped.
 */
import type { Command } from '../command/table.ts';
import { ANY_SLOT, type SubscriptionPlan } from '../plan/plan.ts';
import type { Protocol } from '../resp/encode.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import {
  encodeConfirmation,
  KIND_OF,
  markProtocol,
  type PubSubFrame,
  type SubscriptionKind,
  type SubscriptionVerb,
} from '../resp/pubsub-frame.ts';
import type { Request } from '../resp/request.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Dispatcher } from './dispatcher.ts';
import { Feeds, type FeedsEvents } from './feeds.ts';
import type { Session } from './session.ts';
import { NAME_OVERHEAD_BYTES, Subscribed } from './subscribed.ts';

/** What a RESP2 client may send while it is subscribed (`processCommand` in Redis's server.c). */
const ALLOWED: ReadonlySet<string> = new Set([
  ...['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
  ...['ping', 'quit', 'reset'],
]);
/** Between two looks whether nodes that are being asked have answered after all. */
const LOOK_AGAIN_MS = 100;

/** The request that waits for its nodes. */
interface Pending {
  readonly exchange: Exchange;
  readonly kind: SubscriptionKind;
  readonly slot: number;
  /** Names to be confirmed by nodes; empty when subscriptions end. */
  readonly fresh: ReadonlySet<string>;
  readonly confirmations: Buffer;
  timer: NodeJS.Timeout;
}

const NOTHING: ReadonlySet<string> = new Set();

/** What was sent before runs first (C3d): it goes over other connections. */
export function runSubscription(dispatcher: Dispatcher, plan: SubscriptionPlan, request: Request): void {
  const { session } = dispatcher;
  if (session.inFlightCount > 0) return session.dispatchWhenIdle(request);
  dispatcher.subscriptions ??= new Subscriptions(session);
  dispatcher.subscriptions.run(plan.command.name as SubscriptionVerb, request, plan.slot);
}

export class Subscriptions implements FeedsEvents {
  readonly #session: Session;
  readonly #subscribed = new Subscribed();
  readonly #feeds: Feeds;
  #pending: Pending | undefined;
  /** What was added to the total of all clients. */
  #countedBytes = 0;

  constructor(session: Session) {
    this.#session = session;
    this.#feeds = new Feeds(session, this.#subscribed, this);
  }

  get #protocol(): Protocol {
    return this.#session.client.protocol;
  }

  /** RESP2 with at least one subscription: few commands are allowed, and PING answers in another form. */
  get isSubscriberMode(): boolean {
    return this.#protocol === 2 && this.isSubscribed;
  }

  get isSubscribed(): boolean {
    return this.#subscribed.classicCount + this.#subscribed.shard.size > 0;
  }

  /** How many of each kind. */
  get counts(): Readonly<Record<SubscriptionKind, number>> {
    const { channel, pattern, shard } = this.#subscribed;
    return { channel: channel.size, pattern: pattern.size, shard: shard.size };
  }

  /** Whether subscriber mode forbids a request. What nobody knows, or is not whole, has other errors. */
  refuses(command: Command | undefined, request: Request): boolean {
    if (!this.isSubscriberMode || command === undefined || !command.fitsArity(request.argc)) return false;
    return !ALLOWED.has(command.name);
  }

  // ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Carries out SUBSCRIBE or one of its kin; `slot` is that of the channels of SSUBSCRIBE and SUNSUBSCRIBE. */
  run(verb: SubscriptionVerb, request: Request, slot: number): void {
    const { dispatcher } = this.#session;
    const isBegin = verb === 'subscribe' || verb === 'psubscribe' || verb === 'ssubscribe';
    const refusal = this.#refusalOf(request, isBegin);
    if (refusal !== undefined) return this.#session.reply(errorLine(refusal));
    const exchange = dispatcher.newExchange(this.#session.runtime.planner.command, ANY_SLOT);
    this.#session.expect(exchange);
    this.#session.holdOthers(exchange);
    const kind = KIND_OF[verb];
    const names = namesIn(request);
    const { changed, confirmations } = isBegin ? this.#begin(verb, names, slot) : this.#end(verb, names);
    this.#count();
    const what = { exchange, kind, slot, fresh: isBegin ? new Set(changed) : NOTHING, confirmations };
    if (changed.length === 0) return this.#confirm(what);
    const { failoverWaitMs } = this.#session.runtime.limits;
    this.#pending = { ...what, timer: this.#deadlineIn(failoverWaitMs) };
    this.#feeds.fresh = what.fresh;
    if (isBegin) this.#feeds.add(kind, changed);
    else this.#feeds.remove(kind, changed);
    if (isBegin && this.#feeds.problem !== undefined) this.#refuse(this.#feeds.problem);
    this.onProgress();
  }

  /** Names that are too many, for this client or for all. */
  #refusalOf(request: Request, isBegin: boolean): string | undefined {
    const { limits, counters } = this.#session.runtime;
    const bytes = request.end - request.start + request.argc * NAME_OVERHEAD_BYTES;
    if ((isBegin ? this.#countedBytes : 0) + bytes > limits.inFlightBytesPerClient) {
      return EVALGATE.tooManySubscriptions(limits.inFlightBytesPerClient, 'limits.in_flight_bytes_per_client');
    }
    if (isBegin && counters.subscriptionBytes + bytes > limits.bufferedBytes) {
      return EVALGATE.tooManySubscriptions(limits.bufferedBytes, 'limits.buffered_bytes');
    }
    return undefined;
  }

  #begin(verb: SubscriptionVerb, names: readonly string[], slot: number): Change {
    const kind = KIND_OF[verb];
    const changed: string[] = [];
    const confirmations = names.map((name) => {
      if (this.#subscribed.add(kind, name, slot)) changed.push(name);
      return this.#confirmation(verb, name);
    });
    return { changed, confirmations: Buffer.concat(confirmations) };
  }

  /** Without names: all of the kind. The messages stop at once, whatever nodes say. */
  #end(verb: SubscriptionVerb, named: readonly string[]): Change {
    const kind = KIND_OF[verb];
    const names = named.length > 0 ? named : [...this.#subscribed[kind].keys()];
    const changed: string[] = [];
    const confirmations = names.map((name) => {
      if (this.#subscribed.delete(kind, name)) changed.push(name);
      return this.#confirmation(verb, name);
    });
    if (names.length === 0) confirmations.push(this.#confirmation(verb, undefined));
    return { changed, confirmations: Buffer.concat(confirmations) };
  }

  #confirmation(verb: SubscriptionVerb, name: string | undefined): Buffer {
    return encodeConfirmation(verb, name, {
      count: this.#subscribed.countOf(KIND_OF[verb]),
      protocol: this.#protocol,
    });
  }

  // ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────

  onProgress(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    const isEnd = pending.fresh.size === 0;
    const isDone = isEnd ? this.#feeds.isSettled : this.#feeds.isCarrying(pending.kind, pending.fresh);
    if (isDone) this.#confirm(pending);
  }

  #deadlineIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#session.guard(() => this.#onDeadline()), ms);
  }

  /** A master that is away does not keep a client waiting for ever: what it carries follows when it is back. */
  #onDeadline(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    const isEnd = pending.fresh.size === 0;
    if (isEnd || (pending.kind !== 'shard' && this.#feeds.isHomeSettled)) return this.#confirm(pending);
    if (!this.#feeds.isSettled) pending.timer = this.#deadlineIn(LOOK_AGAIN_MS);
    else this.#refuse(this.#feeds.problem ?? this.#nowhere(pending));
  }

  #nowhere({ kind, slot }: Pending): Buffer {
    const { failoverWaitMs } = this.#session.runtime.limits;
    return errorLine(kind === 'shard' ? EVALGATE.noPrimary(slot, failoverWaitMs) : EVALGATE.noTopology);
  }

  onRefused(error: Buffer): void {
    this.#refuse(error);
  }

  #refuse(error: Buffer): void {
    const pending = this.#takePending();
    if (pending === undefined) return;
    const names = [...pending.fresh];
    for (const name of names) this.#subscribed.delete(pending.kind, name);
    this.#count();
    this.#feeds.remove(pending.kind, names);
    this.#session.deliver(pending.exchange, error);
  }

  #confirm(what: Pick<Pending, 'exchange' | 'confirmations'>): void {
    this.#takePending();
    this.#session.deliver(what.exchange, what.confirmations);
  }

  #takePending(): Pending | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#feeds.fresh = NOTHING;
    clearTimeout(pending?.timer);
    return pending;
  }

  /** As Redis does with a client whose rights to a channel are taken away. */
  onRevoked(): void {
    this.#session.destroy();
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────

  onMessage(frame: PubSubFrame): void {
    const { name, bytes, start, end } = frame;
    if (!this.#subscribed[frame.kind].has(name)) return;
    // Fresh: its confirmation has not been given.
    if (this.#pending?.kind === frame.kind && this.#pending.fresh.has(name)) return;
    const { counters, turn } = this.#session.runtime;
    counters.messages++;
    markProtocol(bytes, start, this.#protocol);
    turn.schedule(this.#session);
    if (this.#session.output.push(bytes, { start, end, totalBytes: counters.bufferedBytes })) return;
    counters.subscribersCut++;
    this.#session.destroy();
  }

  // ── the rest of its life ────────────────────────────────────────────────────────────────────────────────────

  /** The client goes on as somebody else. */
  onIdentity(): void {
    this.#feeds.restart();
  }

  onTopology(): void {
    this.#session.guard(() => {
      this.#feeds.place();
      this.onProgress();
    });
  }

  tick(nowMs: number): void {
    this.#session.guard(() => this.#feeds.tick(nowMs));
  }

  #count(): void {
    this.#session.runtime.counters.subscriptionBytes += this.#subscribed.bytes - this.#countedBytes;
    this.#countedBytes = this.#subscribed.bytes;
  }

  /** All subscriptions end, without a confirmation: RESET, or the client goes or is gone. Idempotent. */
  discard(): void {
    clearTimeout(this.#pending?.timer);
    this.#pending = undefined;
    this.#feeds.discard();
    this.#session.runtime.counters.subscriptionBytes -= this.#countedBytes;
    this.#countedBytes = 0;
  }
}

interface Change {
  /** Names that were not subscribed before, or were and are no more. */
  readonly changed: readonly string[];
  readonly confirmations: Buffer;
}

function namesIn(request: Request): string[] {
  const names: string[] = [];
  for (let i = 1; i < request.argc; i++) names.push(request.argText(i));
  return names;
}
