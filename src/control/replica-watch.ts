/**
 * Where reads go to replicas: finds out which replicas follow their masters, and which slots are moving. Neither is seen
 * in replies to reads: a replica that lost its master goes on with old data, and one whose master gives a slot away says
 * nil for the keys that have gone.
 *
 *     every replica ─▶ INFO replication ─▶ NodeFacts.isInSync        every primary ─▶ CLUSTER NODES ─▶ MovingSlots
 *                                                                           └▶ a new replica?
 *
 * Each is asked every 200 ms, more rarely in large clusters and when it does not answer. A replica is read from only
 * once it has said that it is in order.
 */
import type { Logger } from 'pino';
import { type MovingSlots, migratingSlots } from '../cluster/moving-slots.ts';
import { hasNewReplica } from '../cluster/new-replicas.ts';
import type { Node, Topology } from '../cluster/topology.ts';
import type { Turn } from '../upstream/turn.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ControlClients } from './control-clients.ts';
import { isReply } from './topology-source.ts';

const LOOK_EVERY_MS = 200;
/** What a look at one node costs at least, in time between two rounds. */
const EVERY_NODE_MS = 10;
/** A node that does not answer is left alone for so long. */
const REST_MS = 1000;
/** A replica that has no data yet is not part of the topology: it is looked for no more often. */
const NEW_REPLICA_EVERY_MS = 1000;

export interface ReplicaWatchOptions {
  readonly upstream: Upstream;
  readonly clients: Pick<ControlClients, 'call'>;
  readonly movingSlots: MovingSlots;
  readonly turn: Turn;
  readonly topology: () => Topology;
  readonly log: Logger;
  /** The topology is to be asked for, this primary first: a slot of it moves no more, or it knows a new replica. */
  readonly onMoved: (primary: Node) => void;
}

export class ReplicaWatch {
  readonly #options: ReplicaWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  readonly #asking = new Set<string>();
  /** Until when, by address, a node that did not answer is not asked. */
  readonly #restingUntilMs = new Map<string, number>();
  /** Slots that each primary was giving away when it was asked last, by address. */
  readonly #migrating = new Map<string, readonly number[]>();
  /** Addresses of the replicas that were in order when they were asked last. */
  readonly #inSync = new Set<string>();

  #lookedForNewMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReplicaWatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  onTopology(before: Topology, after: Topology): void {
    const { movingSlots, turn } = this.#options;
    movingSlots.noteChanges(before, after, turn.now());
    const addresses = new Set([...after.nodes.values()].map((node) => node.address));
    for (const known of [this.#restingUntilMs, this.#migrating, this.#inSync]) {
      for (const address of known.keys()) if (!addresses.has(address)) known.delete(address);
    }
    this.#look();
  }

  #schedule(): void {
    const everyMs = Math.max(LOOK_EVERY_MS, this.#options.topology().nodes.size * EVERY_NODE_MS);
    this.#timer = setTimeout(() => {
      this.#look();
      this.#schedule();
    }, everyMs);
  }

  #look(): void {
    for (const { primary, replicas } of this.#options.topology().shards) {
      if (replicas.length === 0) continue;
      void this.#ask(primary, () => this.#askPrimary(primary));
      for (const replica of replicas) void this.#ask(replica, () => this.#askReplica(replica));
    }
  }

  /** Never rejects. */
  async #ask({ address }: Node, step: () => Promise<void>): Promise<void> {
    if (this.#asking.has(address) || performance.now() < (this.#restingUntilMs.get(address) ?? 0)) return;
    this.#asking.add(address);
    try {
      await step();
    } catch (error) {
      if (!isReply(error)) this.#restingUntilMs.set(address, performance.now() + REST_MS);
    } finally {
      this.#asking.delete(address);
    }
  }

  async #askPrimary(node: Node): Promise<void> {
    const { clients, movingSlots, turn, onMoved } = this.#options;
    const nodes = await clients.call(node, 'CLUSTER', 'NODES');
    this.#lookForNew(node, nodes);
    const slots = migratingSlots(nodes);
    for (const slot of slots) movingSlots.note(slot, turn.now());
    const before = this.#migrating.get(node.address) ?? [];
    this.#migrating.set(node.address, slots);
    if (before.some((slot) => !slots.includes(slot))) onMoved(node);
  }

  #lookForNew(node: Node, nodes: unknown): void {
    const { topology, turn, onMoved } = this.#options;
    if (turn.now() - this.#lookedForNewMs < NEW_REPLICA_EVERY_MS || !hasNewReplica(nodes, topology())) return;
    this.#lookedForNewMs = turn.now();
    onMoved(node);
  }

  async #askReplica(node: Node): Promise<void> {
    const facts = this.#options.upstream.factsOf(node);
    try {
      const info = String(await this.#options.clients.call(node, 'INFO', 'replication'));
      facts.isInSync = /^role:slave\r?$/m.test(info) && /^master_link_status:up\r?$/m.test(info);
    } catch (error) {
      // A script runs there, which says nothing of the link to its master.
      if (!isReply(error) || !String(error).includes('BUSY')) facts.isInSync = false;
      throw error;
    } finally {
      this.#tell(node, facts.isInSync);
    }
  }

  #tell({ address }: Node, isInSync: boolean): void {
    if (isInSync === this.#inSync.has(address)) return;
    if (isInSync) this.#inSync.add(address);
    else this.#inSync.delete(address);
    this.#options.log.info({ node: address }, isInSync ? 'replica is read from' : 'replica is not read from');
  }
}
