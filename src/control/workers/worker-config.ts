/**
 * The config as a worker goes by it. Limits on what is held for all clients together are shared out evenly; the limit of
 * clients is not, since workers tell each other how many they have. The admin port is the primary's.
 */
import type { Config } from '../config.ts';

const LEAST_BYTES = 1024;

export function configForWorker(config: Config, workers: number): Config {
  const { limits, cluster, admin } = config;
  const share = (total: number): number => Math.ceil(total / workers);
  return {
    ...config,
    cluster: { ...cluster, dedicated_per_node: share(cluster.dedicated_per_node) },
    limits: {
      ...limits,
      node_pending_bytes: Math.max(LEAST_BYTES, share(limits.node_pending_bytes)),
      buffered_bytes: Math.max(LEAST_BYTES, share(limits.buffered_bytes)),
      waiting_requests: share(limits.waiting_requests),
    },
    admin: { host: admin.host },
  };
}
