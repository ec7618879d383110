/**
 * `/metrics`: everything counted, in Prometheus's text format. Nothing is kept here: families are made from the
 * counters when somebody scrapes, and prom-client puts those of all processes together and writes them. Labels are
 * bounded: nodes are those of the topology in force, codes, rules and kinds are fixed lists.
 */
import { AggregatorRegistry, Registry } from 'prom-client';
import { COARSE_BUCKETS, coarseBucketOf, coarseStartUs, type LatencyHistogram } from '../../base/latency.ts';
import { COMMAND_CLASSES } from '../../command/command-class.ts';
import type { Connection } from '../../upstream/connection.ts';
import type { EventLoopLag, Lateness } from './event-loop-lag.ts';
import { nodeUses } from './node-use.ts';
import type { AdminSource } from './source.ts';

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Where it is not the family's: the parts of a histogram. */
  readonly metricName?: string;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly values: readonly Value[];
  /** How the values of several processes become one, by prom-client's names; the sum unless it says otherwise. */
  readonly aggregator?: 'max' | 'min';
}

/** Everything that this process has counted. */
export function metricFamilies(source: AdminSource, lag: EventLoopLag): Family[] {
  return [
    ...requestFamilies(source),
    ...scriptFamilies(source),
    ...clusterFamilies(source),
    ...storeFamilies(source),
    ...processFamilies(lag.now),
  ];
}

/** The text for one scrape, out of what every process has counted. */
export async function metricsText(all: readonly (readonly Family[])[]): Promise<string> {
  return await aggregated(all).metrics();
}

/** What several processes have counted, as if one had. */
export function together(all: readonly (readonly Family[])[]): Family[] {
  const families = aggregated(all).getMetricsAsArray() as unknown as Family[];
  return families.map(({ name, type, help, values }) => ({ name, type, help, values }));
}

function aggregated(all: readonly (readonly Family[])[]): Registry {
  return AggregatorRegistry.aggregate(
    all.map((families) => families.map((family) => ({ aggregator: 'sum', ...family }))),
  );
}

function requestFamilies({ counters, statistics }: AdminSource): Family[] {
  return [
    {
      name: 'evalgate_requests_total',
      type: 'counter',
      help: 'Requests of clients by kind of command; refused: answered with an error before the wire',
      values: COMMAND_CLASSES.map((kind) => ({ labels: { class: kind }, value: statistics.requestsOf(kind) })),
    },
    {
      name: 'evalgate_errors_total',
      type: 'counter',
      help: 'Error replies to clients by code, those of nodes and scripts included',
      values: statistics.errors.entries.map(([code, value]) => ({ labels: { code }, value })),
    },
    counter('slow_requests', 'Requests that a node took 10 ms or longer for', statistics.slowLog.total),
    counter('replica_reads', 'Reads that went to a replica', counters.replicaReads),
    counter('replica_fallbacks', 'Of these, those that the primary had to answer', counters.replicaFallbacks),
    counter('redirects', 'MOVED and ASK followed', counters.redirects),
    counter('retries', 'Waits for a primary, or after TRYAGAIN, LOADING and the like', counters.retries),
    counter('failures', 'Requests that got no reply from a node', counters.failures),
    counter('protocol_errors', 'Clients closed because of bytes that are no request', counters.protocolErrors),
    gauge('waiting_requests', 'Requests that wait for a redirect, a primary or another repair', counters.waiting),
    gauge('buffered_bytes', 'Requests and replies buffered for all clients together', counters.bufferedBytes),
    gauge('clients', 'Clients that are connected', counters.clients),
    counter('clients_accepted', 'Clients that were accepted', counters.clientsTotal),
    counter('clients_refused', 'Clients refused at limits.max_clients', counters.clientsRefused),
    counter('clients_killed', 'Clients ended by CLIENT KILL', counters.clientsKilled),
    counter('clients_stalled', 'Clients closed because they did not read', counters.clientsStalled),
  ];
}

function scriptFamilies(source: AdminSource): Family[] {
  const { counters, statistics, registry, checkCounters, events } = source;
  const { loaded } = registry;
  const refusals = [...events.refusals].flatMap(([rule, { refused, observed }]) => [
    { labels: { rule, mode: 'refuse' }, value: refused },
    { labels: { rule, mode: 'observe' }, value: observed },
  ]);
  return [
    histogram('call', 'Latency of calls of scripts and functions', [{ labels: {}, latency: statistics.callLatency }]),
    counter('noscript_prevented', 'EVALSHAs that went up with the body, before NOSCRIPT', counters.noscriptPrevented),
    counter('noscript_healed', 'NOSCRIPTs of nodes that the client did not see', counters.noscriptHealed),
    counter('functions_healed', 'Calls of functions that a node lacked and was given', counters.functionsHealed),
    counter('scripts_loaded', 'Scripts loaded on nodes ahead of their use', source.warming.loadedCount),
    counter(
      'libraries_loaded',
      'Libraries of functions loaded on masters that lacked them',
      source.functions.loadedCount,
    ),
    counter('scripts_killed', 'Scripts ended after scripting.max_run_ms', source.slowScripts.killedCount),
    counter('eval_bytes_saved', 'Bytes of EVAL bodies that went up as EVALSHA', counters.evalBytesSaved),
    counter('witnesses', 'Calls sent to find out whether a refusal is real', counters.witnesses),
    counter('forged_replies', 'Replies of scripts that looked like a refusal of the node', counters.forgedReplies),
    {
      name: 'evalgate_script_refusals_total',
      type: 'counter',
      help: 'Calls refused by the Lua checks; mode observe: forwarded all the same',
      values: refusals,
    },
    counter('scripts_not_analysed', 'Bodies that the Lua checks could not read', checkCounters.notAnalysed),
    counter('calls_proven', 'Calls whose keys the profile safe has proven', checkCounters.callsProven),
    counter('calls_unproven', 'Calls whose keys nobody can tell before they run', checkCounters.callsUnproven),
    alike(byOrigin('evalgate_registry_scripts', 'Scripts held', loaded.count, registry.count - loaded.count)),
    alike(
      byOrigin(
        'evalgate_registry_bytes',
        'Bodies held, overhead included',
        loaded.bytes,
        registry.bytes - loaded.bytes,
      ),
    ),
  ];
}

function byOrigin(name: string, help: string, load: number, learned: number): Family {
  const values = [
    { labels: { origin: 'load' }, value: load },
    { labels: { origin: 'eval' }, value: learned },
  ];
  return { name, type: 'gauge', help: `${help}, by how they came: SCRIPT LOAD and preload, or EVAL`, values };
}

function clusterFamilies(source: AdminSource): Family[] {
  const { counters, topology } = source;
  const uses = [...nodeUses(source)];
  const perNode = (measure: (connections: readonly Connection[]) => number): Value[] =>
    uses.map(([node, { connections }]) => ({ labels: { node }, value: measure(connections) }));
  const latencies = uses.map(([node, { latency }]) => ({ labels: { node }, latency }));
  return [
    histogram('node', 'Latency of requests by node, redirects and repairs included', latencies),
    alike(gauge('topology_shards', 'Shards of the cluster; 0 while it is not known', topology.shards.length)),
    alike(gauge('topology_nodes', 'Nodes of the cluster', topology.nodes.size)),
    alike(
      gauge(
        'topology_slots',
        'Slots that have a primary, of 16384',
        sum(topology.shards.map((shard) => shard.slotCount)),
      ),
    ),
    {
      name: 'evalgate_node_connections',
      type: 'gauge',
      help: 'Connections that are ready, by node',
      values: perNode((all) => all.filter(({ state }) => state === 'ready').length),
    },
    {
      name: 'evalgate_node_pending_bytes',
      type: 'gauge',
      help: 'Requests that the node has not taken',
      values: perNode((all) => sum(all.map((connection) => connection.pendingBytes))),
    },
    {
      name: 'evalgate_node_unanswered_requests',
      type: 'gauge',
      help: 'Requests that the node has not answered',
      values: perNode((all) => sum(all.map((connection) => connection.unansweredCount))),
    },
    counter('node_disconnects', 'Connections to nodes lost, or not to be had', counters.disconnects),
    counter('node_reconnects', 'Nodes that were connected again after that', counters.reconnects),
  ];
}

function storeFamilies({ storeCounters: store }: AdminSource): Family[] {
  return [
    counter('store_failures', 'Operations that the script store did not do, or not in time', store.failures),
    counter('store_look_ups', 'Shas that the store was asked for', store.lookUps),
    counter('store_found', 'Shas that it had', store.found),
    counter('store_saved', 'Scripts written to it', store.saved),
    counter('store_written_back', 'Scripts that had vanished from it', store.writtenBack),
    counter('store_damaged', 'Entries that could not be read', store.damaged),
    counter('store_flushes_heard', 'SCRIPT FLUSHes of other evalgates', store.flushesHeard),
    counter('store_not_saved', 'Scripts not written because too many were', store.notSaved),
  ];
}

/** What several processes see alike, and not each its share. */
function alike(family: Family, aggregator: 'max' | 'min' = 'max'): Family {
  return { ...family, aggregator };
}

/** Under the names that prom-client's default metrics have. */
export function processFamilies(lag: Lateness): Family[] {
  const { user, system } = process.cpuUsage();
  const memory = process.memoryUsage();
  return [
    plain('process_cpu_user_seconds_total', 'counter', 'CPU time of the program', user / 1e6),
    plain('process_cpu_system_seconds_total', 'counter', 'CPU time of the kernel for it', system / 1e6),
    plain('process_resident_memory_bytes', 'gauge', 'Memory of the process', memory.rss),
    alike(
      plain('process_start_time_seconds', 'gauge', 'When it started', Math.round(Date.now() / 1000 - process.uptime())),
      'min',
    ),
    plain('nodejs_heap_size_used_bytes', 'gauge', 'Heap of V8 in use', memory.heapUsed),
    plain('nodejs_external_memory_bytes', 'gauge', 'Buffers outside of that heap', memory.external),
    alike(plain('nodejs_eventloop_lag_p50_seconds', 'gauge', 'Lateness of the event loop, last 5 s', lag.p50Ms / 1000)),
    alike(plain('nodejs_eventloop_lag_p99_seconds', 'gauge', 'Lateness of the event loop, last 5 s', lag.p99Ms / 1000)),
    alike(plain('nodejs_eventloop_lag_max_seconds', 'gauge', 'Lateness of the event loop, last 5 s', lag.maxMs / 1000)),
  ];
}

function counter(name: string, help: string, value: number): Family {
  return plain(`evalgate_${name}_total`, 'counter', help, value);
}

function gauge(name: string, help: string, value: number): Family {
  return plain(`evalgate_${name}`, 'gauge', help, value);
}

function plain(name: string, type: Family['type'], help: string, value: number): Family {
  return { name, type, help, values: [{ labels: {}, value }] };
}

interface Labelled {
  readonly labels: Readonly<Record<string, string>>;
  readonly latency: LatencyHistogram;
}

function histogram(what: string, help: string, all: readonly Labelled[]): Family {
  const name = `evalgate_${what}_latency_seconds`;
  return { name, type: 'histogram', help, values: all.flatMap((one) => histogramValues(name, one)) };
}

/** Cumulative, one bucket for each doubling from 50 µs to 26 s and one for the rest. */
function histogramValues(name: string, { labels, latency }: Labelled): Value[] {
  const counts = new Array<number>(COARSE_BUCKETS).fill(0);
  latency.counts.forEach((count, fine) => {
    const bucket = coarseBucketOf(fine);
    counts[bucket] = (counts[bucket] as number) + count;
  });
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const le = i === COARSE_BUCKETS - 1 ? '+Inf' : coarseStartUs(i + 1) / 1e6;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: latency.sumUs / 1e6 },
    { metricName: `${name}_count`, labels, value: total },
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
