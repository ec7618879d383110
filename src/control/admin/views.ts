/**
 * What the API tells, as values that become JSON: the state of evalgate, the cluster, clients, the slow log, put together
 * from the facts of every process that serves. Scripts have a file of their own. docs/admin.md holds the shapes; they are
 * an interface.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fineStartUs, quantileUs } from '../../base/latency.ts';
import { newestOf, type SlowRequest } from '../../session/slow-log.ts';
import type { FactTeller } from './facts.ts';
import type { History } from './history.ts';
import type { NodeHealth } from './node-health.ts';
import type { RecentEvent } from './recent-events.ts';
import { milliseconds, rounded } from './rounding.ts';
import {
  addCounts,
  addLatency,
  type ClientsFacts,
  NO_COUNTS,
  type NodeFacts,
  type NodeName,
  type NodesFacts,
  noLatency,
  type Page,
  type SlowFacts,
  type StateFacts,
  textOf,
} from './state-facts.ts';

const VERSION = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../../../package.json'), 'utf8')) as { version: string }
).version;

const NOWHERE = { host: '', port: 0 };
/** Of a process that is gone. */
const NOBODY: ClientsFacts = { total: 0, clients: [] };

/** Totals since the start, and rates of the last five seconds. */
export function statusView(states: readonly StateFacts[], history: History) {
  const sum = (value: (state: StateFacts) => number): number => states.reduce((total, one) => total + value(one), 0);
  const most = (value: (state: StateFacts) => number): number => Math.max(0, ...states.map(value));
  const problem = states.find((state) => state.problem !== undefined)?.problem;
  const { requests, errors, ...counts } = states.reduce((total, state) => addCounts(total, state.counts), NO_COUNTS);
  const { refusals, heals, prevented, evalBytesSaved, redirects, slowRequests } = counts;
  const sample = history.newest;
  return {
    version: VERSION,
    serverVersion: states[0]?.serverVersion ?? '',
    listen: states[0]?.listen ?? NOWHERE,
    uptimeS: Math.floor(process.uptime()),
    ready: problem === undefined,
    problem: problem ?? null,
    shards: most(({ shards }) => shards),
    nodes: most(({ nodes }) => nodes),
    clients: sum(({ clients }) => clients),
    waiting: sum(({ waiting }) => waiting),
    bufferedBytes: sum(({ bufferedBytes }) => bufferedBytes),
    memoryBytes: sum(({ memoryBytes }) => memoryBytes),
    requests,
    errors,
    refusals,
    heals,
    prevented,
    evalBytesSaved,
    redirects,
    slowRequests,
    scripts: most(({ scripts }) => scripts),
    scriptBytes: most(({ scriptBytes }) => scriptBytes),
    requestsPerS: rounded(sample?.requestsPerS),
    p50Ms: rounded(sample?.p50Ms),
    p99Ms: rounded(sample?.p99Ms),
    lagMs: rounded(sample?.lagMs),
  };
}

/** The cluster as evalgate sees it: shards in order of their slots, and how each node is. */
export function topologyView(all: readonly NodesFacts[]) {
  const { shards } = all.find((facts) => facts.shards.length > 0) ?? { shards: [] };
  const nodes = all.flatMap((facts) => facts.nodes);
  const nodeView = ({ id, address }: NodeName) => {
    const uses = nodes.filter((node) => node.address === address);
    const latency = uses.reduce((total, use) => addLatency(total, use.latency), noLatency());
    const health = worstOf(uses);
    const sum = (value: (use: NodeFacts) => number): number => uses.reduce((total, use) => total + value(use), 0);
    return {
      id,
      address,
      answers: health?.answers ?? false,
      pingMs: rounded(health?.pingMs ?? undefined),
      problem: health?.problem ?? null,
      connections: sum(({ connections }) => connections),
      unanswered: sum(({ unanswered }) => unanswered),
      requests: latency.reduce((total, count) => total + count, 0),
      p50Ms: milliseconds(quantileUs(latency, fineStartUs, 0.5)),
      p99Ms: milliseconds(quantileUs(latency, fineStartUs, 0.99)),
    };
  };
  return {
    slotsCovered: shards.reduce((total, { slotCount }) => total + slotCount, 0),
    shards: shards.map(({ slots, slotCount, primary, replicas }) => ({
      slots,
      slotCount,
      primary: nodeView(primary),
      replicas: replicas.map(nodeView),
    })),
  };
}

/** A node that one process does not reach has a problem. */
function worstOf(uses: readonly NodeFacts[]): NodeHealth | undefined {
  const known = uses.flatMap(({ health }) => health ?? []);
  return known.find(({ answers }) => !answers) ?? known.find(({ problem }) => problem !== null) ?? known[0];
}

/** Clients process by process, in each in the order in which they came. */
export async function clientsView(tellers: readonly FactTeller[], { limit, offset }: Page) {
  const clientsOf = (teller: FactTeller, page: Page) => teller.tell('clients', page).catch(() => NOBODY);
  const totals = await Promise.all(
    tellers.map(async (teller) => (await clientsOf(teller, { limit: 0, offset: 0 })).total),
  );
  const pages = pagesOf(totals, { limit, offset });
  const parts = await Promise.all(
    tellers.map((teller, i) => {
      const page = pages[i];
      return page === undefined || page.limit === 0 ? NOBODY : clientsOf(teller, page);
    }),
  );
  return {
    total: totals.reduce((total, count) => total + count, 0),
    offset,
    clients: parts.flatMap(({ clients }) => clients),
  };
}

/** Which part of each list makes a part of all of them, one behind the other. */
export function pagesOf(totals: readonly number[], { limit, offset }: Page): Page[] {
  let skipped = offset;
  let left = limit;
  return totals.map((total) => {
    const page = { offset: Math.min(skipped, total), limit: Math.min(left, Math.max(0, total - skipped)) };
    skipped -= page.offset;
    left -= page.limit;
    return page;
  });
}

/** The newest first. */
export function slowLogView(all: readonly SlowFacts[], limit: number) {
  const requests = newestOf(all.map((facts) => facts.requests));
  return {
    total: all.reduce((sum, { total }) => sum + total, 0),
    requests: requests.slice(0, limit).map(slowRequestView),
  };
}

function slowRequestView({ unixMs, durationUs, args, clientName, sha, ...rest }: SlowRequest) {
  return {
    ...rest,
    unixMs,
    ms: durationUs / 1000,
    args: args.map((arg) => arg.toString('utf8')),
    clientName: textOf(clientName),
    sha: sha ?? null,
  };
}

/** The newest first. */
export function eventsView(all: readonly (readonly RecentEvent[])[], limit: number) {
  const events = all.flat();
  // Of one process they are in order; those of several are put into one by when they began.
  if (all.length > 1) events.sort((a, b) => b.firstUnixMs - a.firstUnixMs || b.id - a.id);
  return { events: events.slice(0, limit) };
}
