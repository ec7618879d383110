/**
 * What the primary has to tell beside its workers: its own memory and CPU time, and what was counted by workers that are
 * gone. Without the latter a total would fall when a worker dies, which Prometheus takes for a restart.
 */
import type { FactKind, FactKinds, FactTeller } from '../admin/facts.ts';
import { type Family, processFamilies, together } from '../admin/metrics.ts';
import { addCounts, addLatency, NO_COUNTS, noLatency, type SampleFacts } from '../admin/state-facts.ts';

const NOT_LATE = { p50Ms: 0, p99Ms: 0, maxMs: 0 };

type Makers = { readonly [K in FactKind]: () => FactKinds[K]['facts'] };

export class PrimaryFacts implements FactTeller {
  readonly #makers: Makers;
  #counts = NO_COUNTS;
  #latency = noLatency();
  #families: readonly Family[] = [];

  /** `problem`: why evalgate should get no traffic, whatever the workers say. */
  constructor(problem: () => string | undefined) {
    this.#makers = {
      problem,
      state: () => ({
        serverVersion: '',
        listen: { host: '', port: 0 },
        problem: problem(),
        shards: 0,
        nodes: 0,
        scripts: 0,
        scriptBytes: 0,
        clients: 0,
        waiting: 0,
        bufferedBytes: 0,
        memoryBytes: process.memoryUsage.rss(),
        counts: this.#counts,
      }),
      sample: () => ({ counts: this.#counts, latency: this.#latency, clients: 0, lagMs: 0 }),
      metrics: () => [...this.#families, ...processFamilies(NOT_LATE)],
      nodes: () => ({ shards: [], nodes: [] }),
      clients: () => ({ total: 0, clients: [] }),
      slowRequests: () => ({ total: this.#counts.slowRequests, requests: [] }),
      events: () => [],
      scripts: () => ({ total: 0, scripts: [] }),
      script: () => undefined,
    };
  }

  async tell<K extends FactKind>(kind: K): Promise<FactKinds[K]['facts']> {
    return this.#makers[kind]();
  }

  /** A worker is gone: what it told last still counts. */
  onGone(sample: SampleFacts | undefined, metrics: readonly Family[]): void {
    if (sample !== undefined) {
      this.#counts = addCounts(this.#counts, sample.counts);
      this.#latency = addLatency(this.#latency, sample.latency);
    }
    if (metrics.length === 0) return;
    // Of nodes that it knew: those that left the cluster are not kept for ever.
    const nodes = new Set(metrics.flatMap(({ values }) => values.flatMap(({ labels }) => labels['node'] ?? [])));
    const kept = this.#families.map((family) => ({
      ...family,
      values: family.values.filter(({ labels }) => labels['node'] === undefined || nodes.has(labels['node'])),
    }));
    this.#families = together([kept, metrics.filter(({ type }) => type !== 'gauge')]);
  }
}
