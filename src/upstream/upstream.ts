/**
 * All connections to the cluster: one pool for every node that is used, and what is known of each node.
 *
 * Pools are opened on demand and kept while their node is in the topology; after that they go as soon as nothing is in
 * flight on them. A request may still be on its way to a node that just lost its slots.
 */
import type { Node, Topology } from '../cluster/topology.ts';
import type { Script } from '../script/script.ts';
import type { Connection } from './connection.ts';
import { NodeFacts } from './node-facts.ts';
import { Pool, type PoolEvents, type PoolOptions } from './pool.ts';
import type { Turn } from './turn.ts';

export interface UpstreamContext {
  readonly turn: Turn;
  readonly events: PoolEvents;
  readonly options: PoolOptions;
}

export class Upstream {
  readonly #context: UpstreamContext;
  readonly #pools = new Map<string, Pool>();
  readonly #facts = new Map<string, NodeFacts>();

  constructor(context: UpstreamContext) {
    this.#context = context;
  }

  get pools(): Iterable<Pool> {
    return this.#pools.values();
  }

  /** The pool of a node; opened if need be, which makes no connection yet. */
  of(node: Node): Pool {
    const known = this.#pools.get(node.address);
    if (known !== undefined) return known;
    const pool = this.#newPool(node, this.#context.options);
    this.#pools.set(node.address, pool);
    return pool;
  }

  /** A connection of its own that carries nothing else; the caller destroys it. */
  openControl(node: Node): Connection {
    return this.#newPool(node, { ...this.#context.options, purpose: 'control' }).open();
  }

  #newPool(node: Node, options: PoolOptions): Pool {
    const { turn, events } = this.#context;
    return new Pool({ node, turn, facts: this.factsOf(node), events }, options);
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
    for (const pool of this.#pools.values()) pool.dropMark(script);
  }

  /** Scripts were flushed and are forgotten: no body that is on its way may bring one back. */
  flushScripts(): void {
    for (const pool of this.#pools.values()) pool.flushScripts();
  }

  /** Closes what is idle and belongs to no node of the topology. */
  retain(topology: Topology): void {
    const addresses = new Set([...topology.nodes.values()].map((node) => node.address));
    for (const [address, pool] of this.#pools) {
      if (addresses.has(address) || !pool.isIdle) continue;
      this.#pools.delete(address);
      this.#facts.delete(address);
      pool.destroy('lost', 'no longer part of the cluster');
    }
  }

  destroy(): void {
    for (const pool of this.#pools.values()) pool.destroy('lost', 'evalgate stops');
  }
}
