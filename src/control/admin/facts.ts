/**
 * What a process that serves clients tells of itself: plain values, which can be sent to another process and be put
 * together with those of others. The views (views.ts, script-views.ts, metrics-view.ts) make answers out of the facts of
 * all processes, whether that is one or many, so everything is told in one way.
 *
 *     ProxyServer ─▶ Facts ─┐
 *     ProxyServer ─▶ Facts ─┼─▶ askAll ─▶ views ─▶ HTTP
 *     ProxyServer ─▶ Facts ─┘
 */
import { EventLoopLag } from './event-loop-lag.ts';
import { type Family, metricFamilies } from './metrics.ts';
import { NodeHealthProbe, problemOf } from './node-health.ts';
import type { RecentEvent } from './recent-events.ts';
import {
  type ScriptDetail,
  ScriptDetails,
  type ScriptsFacts,
  type ScriptsWanted,
  scriptsFacts,
} from './script-facts.ts';
import type { AdminSource } from './source.ts';
import {
  type ClientsFacts,
  clientsFacts,
  type NodesFacts,
  nodesFacts,
  type Page,
  type SampleFacts,
  type SlowFacts,
  type StateFacts,
  sampleFacts,
  slowFacts,
  stateFacts,
} from './state-facts.ts';

/** What can be asked, and what is told. */
export interface FactKinds {
  /** Why the process should get no traffic; undefined when it should. */
  readonly problem: { readonly query: undefined; readonly facts: string | undefined };
  readonly state: { readonly query: undefined; readonly facts: StateFacts };
  /** Begins the next sample: for the history alone. */
  readonly sample: { readonly query: undefined; readonly facts: SampleFacts };
  readonly metrics: { readonly query: undefined; readonly facts: readonly Family[] };
  readonly nodes: { readonly query: undefined; readonly facts: NodesFacts };
  readonly clients: { readonly query: Page; readonly facts: ClientsFacts };
  /** So many at most, the newest first. */
  readonly slowRequests: { readonly query: number; readonly facts: SlowFacts };
  readonly events: { readonly query: number; readonly facts: readonly RecentEvent[] };
  readonly scripts: { readonly query: ScriptsWanted; readonly facts: ScriptsFacts };
  /** By its sha, in any case; undefined when the registry does not hold it. */
  readonly script: { readonly query: string; readonly facts: ScriptDetail | undefined };
}

export type FactKind = keyof FactKinds;

/** One process, or who speaks for it. */
export interface FactTeller {
  /** Rejects when the process is gone. */
  tell<K extends FactKind>(kind: K, query: FactKinds[K]['query']): Promise<FactKinds[K]['facts']>;
}

type Makers = {
  readonly [K in FactKind]: (query: FactKinds[K]['query']) => FactKinds[K]['facts'] | Promise<FactKinds[K]['facts']>;
};

/** Of this process. */
export class Facts implements FactTeller {
  readonly #makers: Makers;
  readonly #lag = new EventLoopLag();

  constructor(source: AdminSource) {
    const lag = this.#lag;
    const probe = new NodeHealthProbe(source);
    const details = new ScriptDetails(source);
    this.#makers = {
      // Who stops, or knows no nodes, need not ask them.
      problem: async () => problemOf(source) ?? problemOf(source, await probe.look()),
      state: async () => stateFacts(source, problemOf(source, await probe.look())),
      sample: () => sampleFacts(source, lag),
      metrics: () => metricFamilies(source, lag),
      nodes: async () => nodesFacts(source, await probe.look()),
      clients: (page) => clientsFacts(source, page),
      slowRequests: (limit) => slowFacts(source, limit),
      events: (limit) => source.events.newest(limit),
      scripts: (wanted) => scriptsFacts(source, wanted),
      script: (sha) => details.of(sha),
    };
  }

  async tell<K extends FactKind>(kind: K, query: FactKinds[K]['query']): Promise<FactKinds[K]['facts']> {
    return await this.#makers[kind](query);
  }

  stop(): void {
    this.#lag.stop();
  }
}

/** What all of them tell; those that are gone before they have are left out. */
export async function askAll<K extends FactKind>(
  tellers: readonly FactTeller[],
  kind: K,
  query: FactKinds[K]['query'],
): Promise<FactKinds[K]['facts'][]> {
  const answers = await Promise.allSettled(tellers.map((teller) => teller.tell(kind, query)));
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}
