/**
 * What the chaos test is about: a cluster of three masters with a replica each, which writes every command to disk; two
 * evalgates in front of it, one of them with workers; clients.
 */
import { LocalCluster, type LocalNode } from '../../src/control/local-cluster.ts';
import { isMaster, waitFor, waitUntilAgreed } from '../support/cluster.ts';
import { Evalgate } from './evalgates.ts';
import { ChaosLoad } from './load.ts';

export const SHARDS = 3;
/** Of each evalgate. */
const WORKERS = [2, 1];
const SLOTS_PER_SHARD = 4;
const SLOT_COUNT = 16_384;
/** While a node is not meant to fail over: longer than a busy machine keeps a node from running. */
const PATIENT_MS = 15_000;
/** During a failover by hand: masters vote once in two of these. */
const ELECTION_MS = 4000;
/** While a master is down on purpose. */
export const FAILOVER_MS = 2000;

export class World {
  readonly cluster: LocalCluster;
  readonly evalgates: readonly Evalgate[];
  readonly load: ChaosLoad;
  #lastElectionAtMs = Number.NEGATIVE_INFINITY;

  private constructor(cluster: LocalCluster, evalgates: readonly Evalgate[], load: ChaosLoad) {
    this.cluster = cluster;
    this.evalgates = evalgates;
    this.load = load;
  }

  static async start(options: { clientCount: number; seed: number }): Promise<World> {
    const cluster = await LocalCluster.start({
      masters: SHARDS,
      replicas: 1,
      nodeTimeoutMs: PATIENT_MS,
      config: {
        // Written before the reply, not synced: survives what becomes of processes.
        appendonly: 'yes',
        appendfsync: 'no',
        // A master that gave away its last slot stays one.
        'cluster-allow-replica-migration': 'no',
      },
    });
    try {
      const evalgates = WORKERS.map((workers, i) => new Evalgate(cluster, `evalgate-${i + 1}`, workers));
      for (const evalgate of evalgates) await evalgate.start();
      const load = await ChaosLoad.start({
        ...options,
        slots: Array.from({ length: SHARDS }, (_, shard) => slotsOfShard(shard)).flat(),
        portFor: (index) => portFor(evalgates, index),
      });
      return new World(cluster, evalgates, load);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.load.stop().catch(() => {});
    for (const evalgate of this.evalgates) await evalgate.stop('SIGTERM');
    await this.cluster.stop();
  }

  async masterOf(shard: number): Promise<LocalNode> {
    return await this.#nodeOf(shard, 'master');
  }

  async replicaOf(shard: number): Promise<LocalNode> {
    return await this.#nodeOf(shard, 'replica');
  }

  async #nodeOf(shard: number, role: 'master' | 'replica'): Promise<LocalNode> {
    for (const node of this.cluster.nodes) {
      if (node.shardIndex === shard && node.isRunning && (await isMaster(node)) === (role === 'master')) return node;
    }
    throw new Error(`shard ${shard} has no ${role}`);
  }

  /** How soon nodes take another for dead: soon, or not while this machine is merely busy. */
  async expectFailover(isExpected: boolean): Promise<void> {
    await this.#setNodeTimeout(isExpected ? FAILOVER_MS : PATIENT_MS);
    this.#lastElectionAtMs = performance.now();
  }

  /** A master votes again for a shard only when two node timeouts are over: waits for that, with a shorter one. */
  async prepareElection(): Promise<void> {
    await this.#setNodeTimeout(ELECTION_MS);
    const isFree = () => performance.now() - this.#lastElectionAtMs > 2 * ELECTION_MS;
    await waitFor('an election is possible', isFree);
  }

  async #setNodeTimeout(timeoutMs: number): Promise<void> {
    for (const node of this.cluster.nodes) {
      if (node.isRunning) await node.client().config('SET', 'cluster-node-timeout', timeoutMs);
    }
  }

  /** Waits until all nodes agree and every replica has what its master has, or is about to. */
  async calm(): Promise<void> {
    await waitUntilAgreed(this.cluster);
    await waitFor('all replicas follow', async () => {
      const infos = await Promise.all(this.cluster.nodes.map((node) => node.client().info('replication')));
      return infos.every((info) => /role:master|master_link_status:up/.test(info));
    });
    await this.load.progress(3);
  }

  /** How often the nodes have answered with this error since they started. */
  async errorCount(code: string): Promise<number> {
    const pattern = new RegExp(`^errorstat_${code}:count=(\\d+)`, 'm');
    const infos = await Promise.all(this.cluster.nodes.map((node) => node.client().info('errorstats')));
    return infos.reduce((total, info) => total + Number(pattern.exec(info)?.[1] ?? 0), 0);
  }
}

/** Slots of a shard that counters lie in, as the shards were when the cluster was formed. */
export function slotsOfShard(shard: number): number[] {
  const size = Math.floor(SLOT_COUNT / SHARDS);
  return Array.from({ length: SLOTS_PER_SHARD }, (_, i) => shard * size + 100 + i * 1000);
}

function portFor(evalgates: readonly Evalgate[], index: number): number {
  const home = evalgates[index % evalgates.length];
  return (home?.isRunning ? home : evalgates.find((one) => one.isRunning))?.port ?? 0;
}
