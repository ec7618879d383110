/**
 * Replicas that the cluster has and the topology in force has not, read from `CLUSTER NODES`: one that joined, or was given
 * to another master. `CLUSTER SLOTS` shows it once it has data.
 */
import type { Topology } from './topology.ts';

const UNUSABLE = ['fail', 'handshake', 'noaddr'];

/** Whether a decoded `CLUSTER NODES` reply has a replica in order whose primary is known, and which is not known with it. */
export function hasNewReplica(reply: unknown, { shards }: Topology): boolean {
  const replicas = new Map(shards.map((shard) => [shard.primary.id, new Set(shard.replicas.map(({ id }) => id))]));
  return String(reply)
    .split('\n')
    .map((line) => line.split(' '))
    .some(([id = '', , flagsText = '', primaryId = '']) => {
      const flags = flagsText.split(',');
      if (!flags.includes('slave') || UNUSABLE.some((flag) => flags.includes(flag))) return false;
      return replicas.get(primaryId)?.has(id) === false;
    });
}
