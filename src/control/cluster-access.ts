/**
 * How the cluster is reached, out of the config: for the control clients, the topology source and the cluster store.
 */
import type { NodeTls } from '../upstream/node-tls.ts';
import type { Config } from './config-schema.ts';
import { type HostPort, parseHostPort } from './host-port.ts';

export interface ClusterAccess {
  readonly seeds: readonly HostPort[];
  /** Announced `host:port` → reachable address. */
  readonly natMap: ReadonlyMap<string, HostPort>;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Undefined: no TLS. */
  readonly tls?: NodeTls | undefined;
}

export function clusterAccess({ cluster }: Config, tls: NodeTls | undefined): ClusterAccess {
  return {
    seeds: cluster.nodes.map(parseHostPort),
    natMap: new Map(Object.entries(cluster.nat_map).map(([from, to]) => [from, parseHostPort(to)])),
    username: cluster.username,
    password: cluster.password,
    tls,
  };
}
