/**
 * Facts of the process and its data plane: totals, nodes, clients, slow requests. What is only ever counted up stands
 * apart from what goes up and down, because it outlives its process: the counts of a worker that is gone still count.
 */
import { FINE_BUCKETS } from '../../base/latency.ts';
import type { Topology } from '../../cluster/topology.ts';
import type { ListenAddress } from '../../session/listener.ts';
import type { Session } from '../../session/session.ts';
import type { SlowRequest } from '../../session/slow-log.ts';
import type { EventLoopLag } from './event-loop-lag.ts';
import type { HealthByAddress, NodeHealth } from './node-health.ts';
import { nodeUses } from './node-use.ts';
import type { AdminSource } from './source.ts';

/** Which part of a list is wanted. */
export interface Page {
  readonly limit: number;
  readonly offset: number;
}

export interface Counts {
  readonly requests: number;
  readonly errors: number;
  readonly refusals: number;
  readonly heals: number;
  readonly prevented: number;
  readonly evalBytesSaved: number;
  readonly redirects: number;
  readonly slowRequests: number;
}

export interface StateFacts {
  readonly serverVersion: string;
  readonly listen: ListenAddress;
  readonly problem: string | undefined;
  readonly shards: number;
  readonly nodes: number;
  /** What the registry holds. */
  readonly scripts: number;
  readonly scriptBytes: number;
  readonly clients: number;
  readonly waiting: number;
  readonly bufferedBytes: number;
  readonly memoryBytes: number;
  readonly counts: Counts;
}

export interface SampleFacts {
  readonly counts: Counts;
  /** Of everything that a node answered, by fine bucket. */
  readonly latency: Float64Array;
  readonly clients: number;
  /** Since the sample before. */
  readonly lagMs: number;
}

export interface ShardFacts {
  /** Ranges [first, last]. */
  readonly slots: readonly (readonly [first: number, last: number])[];
  readonly slotCount: number;
  readonly primary: NodeName;
  readonly replicas: readonly NodeName[];
}

export interface NodeName {
  readonly id: string;
  readonly address: string;
}

export interface NodeFacts {
  readonly address: string;
  readonly health: NodeHealth | undefined;
  /** Connections that are ready. */
  readonly connections: number;
  readonly unanswered: number;
  /** By fine bucket. */
  readonly latency: Float64Array;
}

export interface NodesFacts {
  /** In order of their slots. */
  readonly shards: readonly ShardFacts[];
  readonly nodes: readonly NodeFacts[];
}

export type ClientFacts = ReturnType<typeof clientFacts>;

export interface ClientsFacts {
  readonly total: number;
  /** In the order in which they came. */
  readonly clients: readonly ClientFacts[];
}

export interface SlowFacts {
  readonly total: number;
  readonly requests: readonly SlowRequest[];
}

function countsOf({ counters, statistics, checkCounters }: AdminSource): Counts {
  return {
    requests: counters.requests,
    errors: statistics.errors.total,
    refusals: checkCounters.refused,
    heals: counters.noscriptHealed,
    prevented: counters.noscriptPrevented,
    evalBytesSaved: counters.evalBytesSaved,
    redirects: counters.redirects,
    slowRequests: statistics.slowLog.total,
  };
}

export function addCounts(a: Counts, b: Counts): Counts {
  const sums = Object.entries(a).map(([name, value]) => [name, (value as number) + b[name as keyof Counts]]);
  return Object.fromEntries(sums) as unknown as Counts;
}

export const NO_COUNTS: Counts = {
  requests: 0,
  errors: 0,
  refusals: 0,
  heals: 0,
  prevented: 0,
  evalBytesSaved: 0,
  redirects: 0,
  slowRequests: 0,
};

export function stateFacts(source: AdminSource, problem: string | undefined): StateFacts {
  const { counters, registry, topology } = source;
  return {
    serverVersion: source.server.version,
    listen: { ...source.address },
    problem,
    shards: topology.shards.length,
    nodes: topology.nodes.size,
    scripts: registry.count,
    scriptBytes: registry.bytes,
    clients: counters.clients,
    waiting: counters.waiting,
    bufferedBytes: counters.bufferedBytes,
    memoryBytes: process.memoryUsage.rss(),
    counts: countsOf(source),
  };
}

export function sampleFacts(source: AdminSource, lag: EventLoopLag): SampleFacts {
  const { maxMs } = lag.now;
  lag.reset();
  const latency = Float64Array.from(source.statistics.latency.counts);
  return { counts: countsOf(source), latency, clients: source.counters.clients, lagMs: maxMs };
}

export function nodesFacts(source: AdminSource, health: HealthByAddress): NodesFacts {
  const { topology } = source;
  const slots = slotRanges(topology);
  return {
    shards: topology.shards.map((shard) => ({
      slots: slots.get(shard) ?? [],
      slotCount: shard.slotCount,
      primary: nameOf(shard.primary),
      replicas: shard.replicas.map(nameOf),
    })),
    nodes: [...nodeUses(source)].map(([address, { connections, latency }]) => ({
      address,
      health: health.get(address),
      connections: connections.filter(({ state }) => state === 'ready').length,
      unanswered: connections.reduce((sum, connection) => sum + connection.unansweredCount, 0),
      latency: Float64Array.from(latency.counts),
    })),
  };
}

function nameOf({ id, address }: NodeName): NodeName {
  return { id, address };
}

/** The ranges of every shard, from one walk over the slots. */
function slotRanges({ bySlot }: Topology): Map<object, [number, number][]> {
  const ranges = new Map<object, [number, number][]>();
  bySlot.forEach((shard, slot) => {
    if (shard === undefined) return;
    const own = ranges.get(shard) ?? [];
    ranges.set(shard, own);
    const last = own.at(-1);
    if (last?.[1] === slot - 1) last[1] = slot;
    else own.push([slot, slot]);
  });
  return ranges;
}

export function clientsFacts({ clients: sessions }: AdminSource, { limit, offset }: Page): ClientsFacts {
  const nowMs = performance.now();
  const clients: ClientFacts[] = [];
  let index = 0;
  for (const session of sessions) {
    if (clients.length === limit) break;
    if (index++ >= offset) clients.push(clientFacts(session, nowMs));
  }
  return { total: sessions.size, clients };
}

function clientFacts({ client, inFlightCount, isBlocked }: Session, nowMs: number) {
  return {
    id: client.id,
    address: client.address,
    name: textOf(client.name),
    library: textOf(client.libraryName),
    libraryVersion: textOf(client.libraryVersion),
    user: client.user,
    command: client.command?.name ?? null,
    ageS: Math.floor((nowMs - client.connectedMs) / 1000),
    idleS: Math.floor(client.idleMs(nowMs) / 1000),
    inFlight: inFlightCount,
    paused: isBlocked,
  };
}

export function slowFacts({ statistics: { slowLog } }: AdminSource, limit: number): SlowFacts {
  return { total: slowLog.total, requests: slowLog.newest(limit) };
}

export function textOf(bytes: Buffer | undefined): string | null {
  return bytes === undefined ? null : bytes.toString('utf8');
}

export function noLatency(): Float64Array {
  return new Float64Array(FINE_BUCKETS);
}

/** Bucket by bucket. */
export function addLatency(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((count, i) => count + (b[i] as number));
}
