/**
 * What is done for the nodes in the background: looking whether they are well, and bringing those that arrive what they
 * lack.
 *
 *     NodeWatch, ReplicaWatch   silent nodes, replicas that are cut off, slots that move
 *     NodeArrivals ─▶ ScriptWarmer, FunctionSync
 *     SlowScripts               scripts that run too long
 */
import type { Logger } from 'pino';
import type { MovingSlots } from '../cluster/moving-slots.ts';
import type { Node, Topology } from '../cluster/topology.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import type { Limits } from '../session/runtime.ts';
import type { Turn } from '../upstream/turn.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ControlClients } from './control-clients.ts';
import { FunctionSync } from './function-sync.ts';
import { NodeArrivals } from './node-arrivals.ts';
import { NodeWatch } from './node-watch.ts';
import { ReplicaWatch } from './replica-watch.ts';
import { ScriptWarmer } from './script-warmer.ts';
import { SlowScripts } from './slow-scripts.ts';

export interface NodeCareOptions {
  readonly clients: ControlClients;
  readonly upstream: Upstream;
  readonly registry: ScriptRegistry;
  readonly movingSlots: MovingSlots;
  readonly turn: Turn;
  readonly limits: Limits;
  readonly log: Logger;
  readonly topology: () => Topology;
  readonly maxRunMs: number;
  readonly readsReplicas: boolean;
  /** Libraries of functions are brought to masters by one process alone. */
  readonly bringsFunctions: boolean;
  /** Something is wrong with a node, or a slot moves. */
  readonly onSuspect: (node: Node) => void;
  readonly onMoved: (primary: Node) => void;
}

export class NodeCare {
  readonly warming: ScriptWarmer;
  readonly functions: FunctionSync;
  readonly slowScripts: SlowScripts;
  readonly #watch: NodeWatch;
  readonly #replicaWatch: ReplicaWatch | undefined;
  readonly #arrivals: NodeArrivals;
  #isServing = false;

  constructor(options: NodeCareOptions) {
    const { clients, upstream, registry, log, topology, onSuspect, onMoved } = options;
    const { movingSlots, turn, limits, maxRunMs } = options;
    this.#watch = new NodeWatch({ upstream, clients, limits, topology, onSuspect: (pool) => onSuspect(pool.node) });
    if (options.readsReplicas) {
      this.#replicaWatch = new ReplicaWatch({ clients, upstream, movingSlots, turn, topology, log, onMoved });
    }
    const owesFlush = (node: Node) => upstream.factsOf(node).owesFlush;
    this.warming = new ScriptWarmer({ clients, registry, log, owesFlush });
    this.functions = new FunctionSync({ clients, log, topology });
    this.slowScripts = new SlowScripts({ maxRunMs, upstream, clients, log });
    this.#arrivals = new NodeArrivals({
      clients,
      onArrival: (node) => {
        this.warming.onArrival(node);
        if (options.bringsFunctions) this.functions.onArrival(node);
      },
    });
  }

  /** The registry has what nodes may lack: from now on they get it. */
  begin(topology: Topology): void {
    this.#isServing = true;
    this.#arrivals.onTopology(topology);
  }

  onTopology(before: Topology, topology: Topology): void {
    this.#replicaWatch?.onTopology(before, topology);
    this.warming.onTopology(topology);
    if (this.#isServing) this.#arrivals.onTopology(topology);
  }

  /** It was connected anew, so it may have restarted. */
  onReconnected(address: string): void {
    this.#arrivals.suspect(address);
  }

  stop(): void {
    this.#replicaWatch?.stop();
    for (const part of [this.#watch, this.#arrivals, this.warming, this.functions, this.slowScripts]) part.stop();
  }
}
