/**
 * All connections to the cluster: one pool for every node and `Access` that is used, and what is known of each node.
 *
 * Pools are opened on demand. Those of the proxy's own identity are kept while their node is in the topology; those of a
 * user until nobody has used them for long. After that they go as soon as nothing is in flight on them: a request may
 * still be on its way to a node that just lost its slots.
 */
import type { Node, Topology } from '../cluster/topology.ts';
import type { Script } from '../script/script.ts';
import type { Access, Identities } from './access.ts';
import type { Connection } from './connection.ts';
import { NodeFacts } from './node-facts.ts';
import { Pool, type PoolEvents, type PoolOptions } from './pool.ts';
import type { Turn } from './turn.ts';

export interface UpstreamContext {
  readonly turn: Turn;
  readonly identities: Identities;
  readonly events: PoolEvents;
  readonly options: PoolOptions;
  /** Replicas are read from. */
  readonly readsReplicas: boolean;
}

export class Upstream {
  readonly #context: UpstreamContext;
  readonly #pools = new Map<Access, Map<string, Pool>>();
  readonly #facts = new Map<string, NodeFacts>();
  /** Addresses of the replicas that are read from. */
  #replicas: ReadonlySet<string> = new Set();

  constructor(context: UpstreamContext) {
    this.#context = context;
  }

  get pools(): Iterable<Pool> {
    return [...this.#pools.values()].flatMap((byAddress) => [...byAddress.values()]);
  }

  /** The pool of a node; opened if need be, which makes no connection yet. */
  of(node: Node, access: Access): Pool {
    let byAddress = this.#pools.get(access);
    if (byAddress === undefined) {
      byAddress = new Map();
      this.#pools.set(access, byAddress);
    }
    const known = byAddress.get(node.address);
    if (known !== undefined) return known;
    const companion = access.identity.kind === 'own' ? undefined : this.ownOf(node);
    const pool = this.#newPool({ node, access, companion }, this.#context.options);
    pool.isReplica = this.#replicas.has(node.address);
    byAddress.set(node.address, pool);
    return pool;
  }

  /** The pool over which the proxy itself speaks to a node. */
  ownOf(node: Node): Pool {
    return this.of(node, this.#context.identities.own.access(2));
  }

  /** A connection of its own that carries nothing else; the caller destroys it. */
  openControl(node: Node, access: Access): Connection {
    return this.#newPool({ node, access }, { ...this.#context.options, purpose: 'control' }).open();
  }

  #newPool(of: { node: Node; access: Access; companion?: Pool | undefined }, options: PoolOptions): Pool {
    const { turn, events } = this.#context;
    return new Pool({ ...of, turn, facts: this.factsOf(of.node), events }, options);
  }

  factsOf(node: Node): NodeFacts {
    let facts = this.#facts.get(node.address);
    if (facts === undefined) {
      facts = new NodeFacts();
      this.#facts.set(node.address, facts);
    }
    return facts;
  }

  /** The script's number is about to be given to another: no connection may be marked with it. */
  forgetScript(script: Script): void {
    for (const facts of this.#facts.values()) facts.dropMark(script);
  }

  /** Sends the SCRIPT FLUSHes that could not reach their nodes, over the proxy's own connections. */
  flushOwed(): void {
    for (const pool of this.pools) if (pool.facts.owesFlush) this.ownOf(pool.node).flushOwed();
  }

  /** Scripts were flushed and are forgotten: no body that is on its way may bring one back. */
  flushScripts(): void {
    for (const pool of this.pools) pool.flushScripts();
  }

  /** Goes by the roles in the topology, and closes what is idle and belongs to none of its nodes. */
  retain(topology: Topology): void {
    const replicas = this.#context.readsReplicas ? topology.shards.flatMap((shard) => shard.replicas) : [];
    this.#replicas = new Set(replicas.map((node) => node.address));
    for (const pool of this.pools) pool.isReplica = this.#replicas.has(pool.node.address);
    const addresses = new Set([...topology.nodes.values()].map((node) => node.address));
    this.#close(({ node }) => !addresses.has(node.address), 'no longer part of the cluster');
    const inUse = new Set([...this.pools].map((pool) => pool.node.address));
    for (const address of this.#facts.keys()) {
      if (!addresses.has(address) && !inUse.has(address)) this.#facts.delete(address);
    }
  }

  /** Closes the idle connections of users whom nobody has used for long. */
  closeUnused(nowMs: number): void {
    const { identities } = this.#context;
    identities.forgetUnused(nowMs);
    this.#close(({ access }) => access.identity.isForgotten, 'its user is not in use');
  }

  #close(isDue: (pool: Pool) => boolean, reason: string): void {
    for (const [access, byAddress] of this.#pools) {
      for (const [address, pool] of byAddress) {
        if (!isDue(pool) || !pool.isIdle) continue;
        byAddress.delete(address);
        pool.destroy('lost', reason);
      }
      if (byAddress.size === 0) this.#pools.delete(access);
    }
  }

  destroy(): void {
    for (const pool of this.pools) pool.destroy('lost', 'evalgate stops');
  }
}
