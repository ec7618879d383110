/**
 * Whether the nodes answer, for /readyz and the cluster map: asked when somebody wants to know, over the control
 * connections, and not more often than every SPACE_MS.
 */
import { SLOT_COUNT } from '../../cluster/slot.ts';
import type { Node } from '../../cluster/topology.ts';
import { isReply } from '../topology-source.ts';
import type { AdminSource } from './source.ts';
import { spaced } from './spaced.ts';

const SPACE_MS = 200;
/** Replies to PING that mean that the node cannot serve. BUSY does not: it runs a script. */
const CANNOT_SERVE = /^(LOADING|MASTERDOWN|NOAUTH|WRONGPASS|NOPERM)/;

export interface NodeHealth {
  readonly answers: boolean;
  /** How long the answer took; null without one. */
  readonly pingMs: number | null;
  /** Why it does not answer, or cannot serve. */
  readonly problem: string | null;
}

export type HealthByAddress = ReadonlyMap<string, NodeHealth>;

const NOBODY_ASKED: HealthByAddress = new Map();

export class NodeHealthProbe {
  readonly #source: AdminSource;
  readonly #askSpaced = spaced(SPACE_MS, () => this.#askAll([...this.#source.topology.nodes.values()]));

  constructor(source: AdminSource) {
    this.#source = source;
  }

  /** How every node of the topology is now. Never rejects. */
  look(): Promise<HealthByAddress> {
    return this.#askSpaced('', undefined);
  }

  async #askAll(nodes: readonly Node[]): Promise<HealthByAddress> {
    const answers = await Promise.all(nodes.map((node) => this.#ask(node)));
    return new Map(nodes.map((node, i) => [node.address, answers[i] as NodeHealth]));
  }

  async #ask(node: Node): Promise<NodeHealth> {
    const startedMs = performance.now();
    const pingMs = (): number => Math.round((performance.now() - startedMs) * 1000) / 1000;
    try {
      await this.#source.ping(node);
      return { answers: true, pingMs: pingMs(), problem: null };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (!isReply(error)) return { answers: false, pingMs: null, problem };
      return { answers: !CANNOT_SERVE.test(problem), pingMs: pingMs(), problem };
    }
  }
}

/** Why evalgate should get no traffic now, as far as can be told without asking the nodes when none was asked; else undefined. */
export function problemOf(source: AdminSource, health: HealthByAddress = NOBODY_ASKED): string | undefined {
  if (source.isDraining) return 'evalgate is stopping';
  const { shards } = source.topology;
  if (shards.length === 0) return 'no node of the cluster answers: the topology is not known';
  if (source.address.port === 0) return 'evalgate is starting: it does not listen yet';
  const covered = shards.reduce((sum, shard) => sum + shard.slotCount, 0);
  if (covered < SLOT_COUNT) return `${SLOT_COUNT - covered} of ${SLOT_COUNT} slots have no primary`;
  for (const { primary, slotCount } of shards) {
    const state = health.get(primary.address);
    if (state?.answers === false) {
      return `primary ${primary.address} of ${slotCount} slots does not answer: ${state.problem}`;
    }
  }
  return undefined;
}
