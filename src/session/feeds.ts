/**
 * Where a session's subscriptions live, and that they live on: one Feed a node at most, placed anew whenever a feed is
 * lost, a slot moves or the cluster changes.
 *
 *     channels, patterns ─────────────▶ one home node: the cluster passes each message on to all nodes
 *       that may match __key*@…  ────▶ every other master too: a node tells keyspace events to its own subscribers only
 *     sharded channels ───────────────▶ the owner of their slot
 *
 * Every message is taken from one place: keyspace events from masters, all others from the home, sharded ones from
 * where their channel was placed. What moves ends at the old place before it begins at the new one: a message may be
 * missed then, but none comes twice.
 */
import type { Node, Shard, Topology } from '../cluster/topology.ts';
import { EMPTY_TOPOLOGY } from '../cluster/topology.ts';
import { isKeyspaceChannel } from '../plan/keyspace.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import { KIND_OF, type PubSubFrame, type SubscriptionKind, type SubscriptionVerb } from '../resp/pubsub-frame.ts';
import { Backoff } from './backoff.ts';
import { Feed, type FeedEvents, type Question } from './feed.ts';
import type { Session } from './session.ts';
import { isOfKeyspace, type Subscribed } from './subscribed.ts';

const BEGIN = { channel: 'subscribe', pattern: 'psubscribe', shard: 'ssubscribe' } as const;
const END = { channel: 'unsubscribe', pattern: 'punsubscribe', shard: 'sunsubscribe' } as const;

/** Errors that say "not here" or "not now". */
const NOT_NOW = /^-(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|LOADING|BUSY) /;
/** Between two looks for an owner, when nothing else says when. */
const LOOK_AGAIN_MS = 100;

export interface FeedsEvents {
  /** A message from where it is to be taken; borrowed until return. */
  onMessage(frame: PubSubFrame): void;
  /** A node refuses names that are fresh. */
  onRefused(error: Buffer): void;
  /** A node refuses, for good, what it once allowed. */
  onRevoked(): void;
  /** Something that may have been waited for has come about. */
  onProgress(): void;
}

export class Feeds implements FeedEvents {
  /** Names that the client waits for: they are asked for apart, so that a refusal hits nothing else. */
  fresh: ReadonlySet<string> = new Set();
  /** Why something has no place: the error line for who waits for it. */
  problem: Buffer | undefined;
  readonly #session: Session;
  readonly #subscribed: Subscribed;
  readonly #events: FeedsEvents;
  readonly #byAddress = new Map<string, Feed>();
  #home: Feed | undefined;
  /** The feed that carries a sharded channel. */
  readonly #placed = new Map<string, Feed>();
  /** Sharded channels that no feed carries. */
  readonly #unplaced = new Set<string>();
  /** By address of a node, and by `slot N`. */
  readonly #backoff = new Backoff();
  #topology: Topology = EMPTY_TOPOLOGY;
  #masters: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #isRefreshing = false;
  #isDiscarded = false;

  constructor(session: Session, subscribed: Subscribed, events: FeedsEvents) {
    this.#session = session;
    this.#subscribed = subscribed;
    this.#events = events;
  }

  // ── what the client wants ───────────────────────────────────────────────────────────────────────────────────

  /** Places names that were just added to what is subscribed. */
  add(kind: SubscriptionKind, names: readonly string[]): void {
    if (kind === 'shard') for (const name of names) this.#unplaced.add(name);
    else this.#sendToCarriers(BEGIN[kind], kind, names);
    this.place();
  }

  /** Ends names that were just taken out of what is subscribed. */
  remove(kind: SubscriptionKind, names: readonly string[]): void {
    if (kind !== 'shard') this.#sendToCarriers(END[kind], kind, names);
    else for (const name of names) this.#endShard(name);
    this.place();
  }

  #sendToCarriers(verb: SubscriptionVerb, kind: 'channel' | 'pattern', names: readonly string[]): void {
    this.#home?.send(verb, names);
    const events = names.filter((name) => isOfKeyspace(kind, name));
    for (const feed of this.#byAddress.values()) if (feed.role === 'keyspace') feed.send(verb, events);
  }

  /** Whether every node that has to carry the names has confirmed them. */
  isCarrying(kind: SubscriptionKind, names: ReadonlySet<string>): boolean {
    if (kind === 'shard') return [...names].every((name) => this.#placed.get(name)?.isSettled === true);
    const isEverywhere = [...names].some((name) => isOfKeyspace(kind, name));
    return this.isHomeSettled && (!isEverywhere || this.#hasAllMasters());
  }

  get isHomeSettled(): boolean {
    return this.#home?.isSettled === true;
  }

  #hasAllMasters(): boolean {
    return [...this.#masters].every((address) => this.#byAddress.get(address)?.isSettled === true);
  }

  /** Whether every node has answered all that was sent to it. */
  get isSettled(): boolean {
    return [...this.#byAddress.values()].every((feed) => feed.isSettled);
  }

  tick(nowMs: number): void {
    for (const feed of this.#byAddress.values()) feed.tick(nowMs);
  }

  /** Ends everything at once. */
  /** The client goes on as somebody else: it is subscribed anew, with that user's rights. */
  restart(): void {
    for (const feed of [...this.#byAddress.values()]) this.#drop(feed);
    this.place();
  }

  discard(): void {
    this.#isDiscarded = true;
    clearTimeout(this.#timer);
    for (const feed of this.#byAddress.values()) feed.close();
    this.#byAddress.clear();
  }

  // ── placing ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Brings feeds and subscriptions together, as far as that can be done now; the rest is tried again later. */
  place(): void {
    if (this.#isDiscarded) return;
    this.problem = undefined;
    if (this.#topology !== this.#session.runtime.topology) this.#adoptTopology();
    const isWhole = [this.#placeHome(), this.#placeKeyspace(), this.#placeShards()].every(Boolean);
    this.#prune();
    clearTimeout(this.#timer);
    if (isWhole) return;
    const waitMs = this.#backoff.waitMs(this.#nowMs) ?? LOOK_AGAIN_MS;
    this.#timer = setTimeout(() => this.#session.guard(() => this.place()), Math.max(1, waitMs));
  }

  get #nowMs(): number {
    return performance.now();
  }

  /** The feed to a node, opened if need be; undefined when it cannot be had now. */
  #feedTo(node: Node): Feed | undefined {
    const known = this.#byAddress.get(node.address);
    if (known !== undefined || !this.#backoff.mayTry(node.address, this.#nowMs)) return known;
    const pool = this.#session.runtime.upstream.of(node, this.#session.standing.access);
    const feed = Feed.open(pool, this);
    if (feed !== undefined) {
      this.#byAddress.set(node.address, feed);
      return feed;
    }
    this.problem = errorLine(EVALGATE.tooManyDedicated(node.address, pool.options.maxDedicated));
    this.#backoff.failed(node.address, this.#nowMs);
    return undefined;
  }

  #placeHome(): boolean {
    const isWanted = this.#subscribed.classicCount > 0;
    if (!isWanted && this.#home !== undefined) {
      this.#home.role = 'none';
      this.#home = undefined;
    }
    if (!isWanted || this.#home !== undefined) return true;
    const feed = this.#findHome();
    if (feed === undefined) return false;
    this.#home = feed;
    this.problem = undefined;
    feed.role = 'home';
    this.#sendFreshLast(feed, BEGIN.channel, this.#subscribed.channel);
    this.#sendFreshLast(feed, BEGIN.pattern, this.#subscribed.pattern);
    return true;
  }

  /** The first master that can be had, those last that failed of late; clients begin at different ones. */
  #findHome(): Feed | undefined {
    const { shards } = this.#topology;
    const at = this.#session.client.id % Math.max(1, shards.length);
    const masters = [...shards.slice(at), ...shards.slice(0, at)].map(({ primary }) => primary);
    const hasFailed = ({ address }: Node): boolean => this.#backoff.hasFailed(address);
    for (const node of [...masters.filter((master) => !hasFailed(master)), ...masters.filter(hasFailed)]) {
      const feed = this.#feedTo(node);
      if (feed !== undefined) return feed;
    }
    return undefined;
  }

  #placeKeyspace(): boolean {
    const { keyspace, keyspaceCount } = this.#subscribed;
    let isWhole = true;
    for (const feed of this.#byAddress.values()) {
      if (feed.role === 'keyspace' && keyspaceCount === 0) feed.role = 'none';
    }
    if (keyspaceCount === 0) return true;
    for (const { primary } of this.#topology.shards) {
      const feed = this.#feedTo(primary);
      if (feed === undefined) isWhole = false;
      if (feed?.role !== 'none') continue;
      feed.role = 'keyspace';
      this.#sendFreshLast(feed, BEGIN.channel, keyspace.channel);
      this.#sendFreshLast(feed, BEGIN.pattern, keyspace.pattern);
    }
    return isWhole;
  }

  #placeShards(): boolean {
    const bySlot = new Map<number, string[]>();
    for (const name of this.#unplaced) {
      const slot = this.#subscribed.shard.get(name) ?? 0;
      const names = bySlot.get(slot);
      if (names === undefined) bySlot.set(slot, [name]);
      else names.push(name);
    }
    for (const [slot, names] of bySlot) this.#placeSlot(slot, names);
    return this.#unplaced.size === 0;
  }

  #placeSlot(slot: number, names: readonly string[]): void {
    const shard = this.#topology.bySlot[slot];
    if (shard === undefined || !this.#backoff.mayTry(`slot ${slot}`, this.#nowMs)) return;
    const feed = this.#feedTo(shard.primary);
    if (feed === undefined) return;
    for (const name of names) {
      this.#unplaced.delete(name);
      this.#placed.set(name, feed);
    }
    feed.shardCount += names.length;
    this.#sendFreshLast(feed, BEGIN.shard, names);
  }

  #sendFreshLast(feed: Feed, verb: SubscriptionVerb, names: Iterable<string>): void {
    const all = [...names];
    feed.send(
      verb,
      all.filter((name) => !this.fresh.has(name)),
    );
    feed.send(
      verb,
      all.filter((name) => this.fresh.has(name)),
    );
  }

  /** Closes feeds that carry nothing, once the node has confirmed that. */
  #prune(): void {
    for (const feed of this.#byAddress.values()) {
      if (feed.role === 'none' && feed.shardCount === 0 && feed.isSettled) this.#drop(feed);
    }
  }

  #drop(feed: Feed): void {
    this.#byAddress.delete(feed.node.address);
    if (this.#home === feed) this.#home = undefined;
    if (feed.shardCount > 0) {
      for (const [name, carrier] of this.#placed) if (carrier === feed) this.#displace(name);
    }
    feed.close();
  }

  /** A sharded channel has lost its place. */
  #displace(name: string): void {
    const feed = this.#placed.get(name);
    if (feed === undefined) return;
    feed.shardCount--;
    this.#placed.delete(name);
    this.#unplaced.add(name);
  }

  #endShard(name: string): void {
    this.#placed.get(name)?.send(END.shard, [name]);
    this.#displace(name);
    this.#unplaced.delete(name);
  }

  /** Gives up places that are none any more. A home may be a replica: only keyspace events have to come from masters. */
  #adoptTopology(): void {
    this.#topology = this.#session.runtime.topology;
    const { nodes, shards, bySlot } = this.#topology;
    this.#masters = new Set(shards.map(({ primary }) => primary.address));
    const addresses = new Set([...nodes.values()].map(({ address }) => address));
    for (const feed of this.#byAddress.values()) {
      const isDeposed = feed.role === 'keyspace' && !this.#masters.has(feed.node.address);
      if (isDeposed || !addresses.has(feed.node.address)) this.#drop(feed);
    }
    for (const [name, feed] of this.#placed) {
      const shard = bySlot[this.#subscribed.shard.get(name) ?? 0];
      if (shard === undefined || holds(shard, feed.node)) continue;
      this.#endShard(name);
      this.#unplaced.add(name);
    }
  }

  // ── what feeds tell ─────────────────────────────────────────────────────────────────────────────────────────

  onMessage(feed: Feed, frame: PubSubFrame): void {
    this.#session.guard(() => {
      if (this.#isTakenFrom(feed, frame)) this.#events.onMessage(frame);
    });
  }

  #isTakenFrom(feed: Feed, frame: PubSubFrame): boolean {
    if (frame.word === 'smessage') return this.#placed.get(frame.name) === feed;
    const isOfKeyspace = isKeyspaceChannel(frame.bytes, frame.channelStart, frame.channelEnd);
    return isOfKeyspace ? feed.role !== 'none' && this.#masters.has(feed.node.address) : feed === this.#home;
  }

  onRefused(feed: Feed, { verb, names }: Question, error: Buffer): void {
    this.#session.guard(() => {
      const wanted = this.#subscribed[KIND_OF[verb as SubscriptionVerb]];
      if (!names.some((name) => wanted.has(name))) return;
      const isNotNow = NOT_NOW.test(error.toString('latin1', 0, 16));
      const isFresh = names.some((name) => this.fresh.has(name));
      if (isNotNow && verb === BEGIN.shard) this.#lookForOwner(feed, names);
      else if (isFresh) this.#events.onRefused(error);
      else if (isNotNow) this.#retire(feed);
      else this.#events.onRevoked();
    });
  }

  onMovedAway(feed: Feed, name: string): void {
    this.#session.guard(() => {
      if (this.#placed.get(name) !== feed) return;
      this.#displace(name);
      this.#refresh(feed.node);
    });
  }

  onSettled(): void {
    this.#session.guard(() => {
      this.#prune();
      this.#events.onProgress();
    });
  }

  onLost(feed: Feed): void {
    this.#session.guard(() => (feed.isLoginRefused ? this.#events.onRevoked() : this.#retire(feed)));
  }

  /** What a feed carried is placed anew: at once, or when its node may be tried again. */
  #retire(feed: Feed): void {
    this.#session.runtime.counters.feedsLost++;
    this.#backoff.failed(feed.node.address, this.#nowMs);
    this.#drop(feed);
    this.place();
    this.#events.onProgress();
  }

  /** The node does not serve the slot of these names. */
  #lookForOwner(feed: Feed, names: readonly string[]): void {
    const here = names.filter((name) => this.#placed.get(name) === feed);
    const slot = here[0] === undefined ? undefined : this.#subscribed.shard.get(here[0]);
    if (slot === undefined) return;
    this.#backoff.failed(`slot ${slot}`, this.#nowMs);
    for (const name of here) this.#displace(name);
    this.#refresh(feed.node);
  }

  /** Asks the cluster who owns what, then places what has lost its place. */
  #refresh(first: Node): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    void this.#session.runtime.refresh(first).then(() => {
      this.#isRefreshing = false;
      this.#session.guard(() => this.place());
    });
  }
}

function holds({ primary, replicas }: Shard, { address }: Node): boolean {
  return primary.address === address || replicas.some((replica) => replica.address === address);
}
