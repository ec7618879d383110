/**
 * What the API tells, as values that become JSON: the state of the proxy, the cluster, clients, the slow log. Scripts
 * have a file of their own. docs/admin.md holds the shapes; they are an interface.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../../session/session.ts';
import type { SlowRequest } from '../../session/slow-log.ts';
import type { History } from './history.ts';
import { rounded } from './history.ts';
import type { HealthByAddress } from './node-health.ts';
import { problemOf } from './node-health.ts';
import { nodeUses } from './node-use.ts';
import type { AdminSource } from './source.ts';

/** Which part of a list is wanted. */
export interface Page {
  readonly limit: number;
  readonly offset: number;
}

const VERSION = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../../../package.json'), 'utf8')) as { version: string }
).version;

/** Totals since the start, and rates of the last five seconds. */
export function statusView(source: AdminSource, history: History, health: HealthByAddress) {
  const { counters, statistics, checkCounters, registry, topology } = source;
  const problem = problemOf(source, health);
  const sample = history.newest;
  return {
    version: VERSION,
    serverVersion: source.server.version,
    listen: { ...source.address },
    uptimeS: Math.floor(process.uptime()),
    ready: problem === undefined,
    problem: problem ?? null,
    shards: topology.shards.length,
    nodes: topology.nodes.size,
    clients: counters.clients,
    waiting: counters.waiting,
    bufferedBytes: counters.bufferedBytes,
    memoryBytes: process.memoryUsage.rss(),
    requests: counters.requests,
    errors: statistics.errors.total,
    refusals: checkCounters.refused,
    heals: counters.noscriptHealed,
    prevented: counters.noscriptPrevented,
    evalBytesSaved: counters.evalBytesSaved,
    redirects: counters.redirects,
    slowRequests: statistics.slowLog.total,
    scripts: registry.count,
    scriptBytes: registry.bytes,
    requestsPerS: rounded(sample?.requestsPerS),
    p50Ms: rounded(sample?.p50Ms),
    p99Ms: rounded(sample?.p99Ms),
    lagMs: rounded(sample?.lagMs),
  };
}

/** The cluster as evalgate sees it: shards in order of their slots, and how each node is. */
export function topologyView(source: AdminSource, health: HealthByAddress) {
  const { topology } = source;
  const uses = nodeUses(source);
  const nodeView = ({ id, address }: { readonly id: string; readonly address: string }) => {
    const { connections = [], latency } = uses.get(address) ?? {};
    const state = health.get(address);
    return {
      id,
      address,
      answers: state?.answers ?? false,
      pingMs: rounded(state?.pingMs ?? undefined),
      problem: state?.problem ?? null,
      connections: connections.filter(({ state }) => state === 'ready').length,
      unanswered: connections.reduce((sum, connection) => sum + connection.unansweredCount, 0),
      requests: latency?.counts.reduce((sum, count) => sum + count, 0) ?? 0,
      p50Ms: milliseconds(latency?.quantileUs(0.5)),
      p99Ms: milliseconds(latency?.quantileUs(0.99)),
    };
  };
  const slots = slotRanges(topology);
  return {
    slotsCovered: topology.shards.reduce((sum, shard) => sum + shard.slotCount, 0),
    shards: topology.shards.map((shard) => ({
      slots: slots.get(shard) ?? [],
      slotCount: shard.slotCount,
      primary: nodeView(shard.primary),
      replicas: shard.replicas.map(nodeView),
    })),
  };
}

/** The ranges [first, last] of every shard, from one walk over the slots. */
function slotRanges({ bySlot }: AdminSource['topology']): Map<object, [number, number][]> {
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

/** Clients in the order in which they came. */
export function clientsView({ clients: sessions, counters }: AdminSource, { limit, offset }: Page) {
  const nowMs = performance.now();
  const clients: ReturnType<typeof clientView>[] = [];
  let index = 0;
  for (const session of sessions) {
    if (index++ < offset) continue;
    if (clients.length === limit) break;
    clients.push(clientView(session, nowMs));
  }
  return { total: counters.clients, offset, clients };
}

function clientView({ client, inFlightCount, isBlocked }: Session, nowMs: number) {
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

export function slowRequestView({ unixMs, durationUs, args, clientName, sha, ...rest }: SlowRequest) {
  return {
    ...rest,
    unixMs,
    ms: durationUs / 1000,
    args: args.map((arg) => arg.toString('utf8')),
    clientName: textOf(clientName),
    sha: sha ?? null,
  };
}

/** µs as ms. */
export function milliseconds(us: number | undefined): number | null {
  return us === undefined ? null : rounded(us / 1000);
}

function textOf(bytes: Buffer | undefined): string | null {
  return bytes === undefined ? null : bytes.toString('utf8');
}
