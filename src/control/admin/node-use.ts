/** What goes on at each node of the topology: the connections to it under all identities, taken together. */
import type { LatencyHistogram } from '../../base/latency.ts';
import type { Connection } from '../../upstream/connection.ts';
import type { AdminSource } from './source.ts';

export interface NodeUse {
  /** Of everything that clients asked of the node. */
  readonly latency: LatencyHistogram;
  readonly connections: Connection[];
}

/** By address. */
export function nodeUses({ topology, upstream }: AdminSource): Map<string, NodeUse> {
  const uses = new Map<string, NodeUse>();
  for (const node of topology.nodes.values()) {
    uses.set(node.address, { latency: upstream.factsOf(node).latency, connections: [] });
  }
  for (const pool of upstream.pools) uses.get(pool.node.address)?.connections.push(...pool.connections);
  return uses;
}
