/**
 * What every script test of a client does in its middle: the nodes forget all scripts behind evalgate's back, as after a
 * restart or a failover. A client that remembers "loaded" must not notice.
 */
import type { LocalCluster } from '../../../../src/control/local-cluster.ts';

export async function loseScripts(cluster: LocalCluster): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => node.client().script('FLUSH')));
}
