/**
 * What the parts of the proxy go by, out of the config: made at start, and anew by a reload (proxy.ts `#use`).
 */
import type { Policy } from '../plan/policy.ts';
import type { Limits } from '../session/runtime.ts';
import type { PoolOptions } from '../upstream/pool.ts';
import type { ClusterAccess } from './cluster-access.ts';
import type { Config } from './config-schema.ts';
import type { TopologySettings } from './topology-source.ts';

export function policyFrom({ scripting, cluster }: Config): Policy {
  const commands = cluster.read_from !== 'primary';
  const provenScripts = scripting.readonly_lua_route_ronode_enable === 1;
  const modes = { '0': 'off', '1': 'refuse', observe: 'observe' } as const;
  return Object.freeze({
    keylessScripts: scripting.keyless_scripts,
    checks: modes[scripting.script_check_enable],
    checkPolicy: Object.freeze({
      profile: scripting.script_check_profile,
      unpack: scripting.script_check_unpack,
      alias: scripting.script_check_alias,
      maxBytes: scripting.script_check_max_bytes,
    }),
    exempt: new Set(scripting.script_check_exempt.map((sha) => sha.toLowerCase())),
    ...(commands || provenScripts ? { replicaReads: Object.freeze({ commands, provenScripts }) } : {}),
  });
}

export function limitsFrom({ limits, cluster }: Config): Limits {
  return {
    maxClients: limits.max_clients,
    maxRequestBytes: limits.max_request_bytes,
    clientOutputBytes: limits.client_output_bytes,
    clientStallMs: limits.client_stall_ms,
    inFlightPerClient: limits.in_flight_per_client,
    inFlightBytesPerClient: limits.in_flight_bytes_per_client,
    bufferedBytes: limits.buffered_bytes,
    redirects: limits.redirects,
    waitingRequests: limits.waiting_requests,
    failoverWaitMs: cluster.failover_wait_ms,
    nodeSilenceMs: cluster.node_silence_ms,
  };
}

/** What decides how nodes are found and reached. */
export function reachOf({ cluster: { nodes, nat_map, tls } }: Config): unknown {
  return { nodes, nat_map, tls };
}

export function poolOptionsFrom({ cluster, limits, scripting }: Config, { tls }: ClusterAccess): PoolOptions {
  return {
    tls,
    maxConnections: cluster.connections_per_node,
    maxDedicated: cluster.dedicated_per_node,
    connectTimeoutMs: cluster.connect_timeout_ms,
    maxReplyBytes: limits.buffered_bytes,
    maxPendingBytes: limits.node_pending_bytes,
    evalToEvalsha: scripting.eval_to_evalsha,
    purpose: 'shared',
  };
}

export function topologySettingsFrom({ cluster }: Config, { seeds, natMap }: ClusterAccess): TopologySettings {
  return { seeds, natMap, refreshIntervalMs: cluster.refresh_interval_ms };
}
