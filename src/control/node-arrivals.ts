/**
 * Notices nodes that may lack what the others have, because they joined, were restarted or were promoted, and tells
 * those who bring it to them (scripts: script-warmer.ts, functions: function-sync.ts).
 *
 *     topology: a node that is new, a primary that was none ────────────┐
 *     a control connection ended, a data connection is there again ─────┴▶ INFO: another run id? ─▶ onArrival
 *
 * A node that does not answer is asked again, ever more rarely, for as long as it is part of the cluster.
 */
import type { Node, Topology } from '../cluster/topology.ts';
import type { ControlClients } from './control-clients.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;

export interface NodeArrivalsOptions {
  readonly clients: ControlClients;
  readonly onArrival: (node: Node) => void;
}

interface Watched {
  readonly node: Node;
  isPrimary: boolean;
  /** The server process that was there when it arrived last; empty before that. */
  runId: string;
  isLooking: boolean;
  waitMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class NodeArrivals {
  readonly #options: NodeArrivalsOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: NodeArrivalsOptions) {
    this.#options = options;
  }

  onTopology(topology: Topology): void {
    const primaries = new Set(topology.shards.map(({ primary }) => primary.address));
    const nodes = new Map([...topology.nodes.values()].map((node) => [node.address, node]));
    for (const [address, watched] of this.#watched) {
      if (!nodes.has(address)) this.#forget(watched);
    }
    for (const [address, node] of nodes) this.#see(node, primaries.has(address));
  }

  #see(node: Node, isPrimary: boolean): void {
    const known = this.#watched.get(node.address);
    if (known === undefined) {
      const watched = { node, isPrimary, runId: '', isLooking: false, waitMs: FIRST_WAIT_MS, timer: undefined };
      this.#watched.set(node.address, watched);
      this.#look(watched);
      return;
    }
    const isPromoted = isPrimary && !known.isPrimary;
    known.isPrimary = isPrimary;
    if (!isPromoted) return;
    known.runId = '';
    this.#look(known);
  }

  /** Something happened to the connections to this node: it may be another process by now. */
  suspect(address: string): void {
    const watched = this.#watched.get(address);
    if (watched !== undefined) this.#look(watched);
  }

  stop(): void {
    for (const watched of this.#watched.values()) this.#forget(watched);
  }

  #forget(watched: Watched): void {
    clearTimeout(watched.timer);
    this.#watched.delete(watched.node.address);
  }

  #look(watched: Watched): void {
    if (watched.isLooking || watched.timer !== undefined) return;
    watched.isLooking = true;
    this.#options.clients.call(watched.node, 'INFO', 'server').then(
      (info) => this.#onInfo(watched, String(info)),
      () => this.#lookLater(watched),
    );
  }

  #onInfo(watched: Watched, info: string): void {
    watched.isLooking = false;
    watched.waitMs = FIRST_WAIT_MS;
    if (!this.#isWatched(watched)) return;
    const runId = /^run_id:(\S+)/m.exec(info)?.[1] ?? 'unknown';
    if (runId === watched.runId) return;
    watched.runId = runId;
    this.#options.onArrival(watched.node);
  }

  #lookLater(watched: Watched): void {
    watched.isLooking = false;
    if (!this.#isWatched(watched)) return;
    watched.timer = setTimeout(() => {
      watched.timer = undefined;
      this.#look(watched);
    }, watched.waitMs);
    watched.waitMs = Math.min(watched.waitMs * 2, LONGEST_WAIT_MS);
  }

  #isWatched(watched: Watched): boolean {
    return this.#watched.get(watched.node.address) === watched;
  }
}
