/**
 * Notices nodes that are connected but silent: frozen processes, cut networks.
 *
 * Every 100 ms it looks at the oldest unanswered request of each connection. Where that is older than 200 ms the node
 * is pinged on its control connection; a node that answers is only slow. One that answers nothing for
 * `node_silence_ms`, or for 1 s when its slots have gone to another node, loses its connections, so that a late OK of
 * a deposed master is never passed on (C4). A command that blocks says nothing of its node: where only such commands
 * wait, the node is pinged every 500 ms.
 */
import type { Topology } from '../cluster/topology.ts';
import type { Limits } from '../session/runtime.ts';
import type { Pool } from '../upstream/pool.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ControlClients } from './control-clients.ts';
import { isReply } from './topology-source.ts';

const LOOK_EVERY_MS = 100;
const SLOW_AFTER_MS = 200;
const PING_BLOCKED_AFTER_MS = 500;
const DEPOSED_SILENCE_MS = 1000;

export interface NodeWatchOptions {
  readonly upstream: Upstream;
  readonly clients: ControlClients;
  /** Read at every look, because a reload may change them. */
  readonly limits: Pick<Limits, 'nodeSilenceMs'>;
  readonly topology: () => Topology;
  readonly onSuspect: (pool: Pool) => void;
}

export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #answeredAtMs = new Map<string, number>();
  readonly #pinging = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    const { upstream } = this.#options;
    upstream.flushOwed();
    upstream.closeUnused(nowMs);
    for (const pool of upstream.pools) {
      pool.closeSpare();
      const sinceMs = oldestHead(pool, false);
      const blockedMs = this.#heardMs(pool, oldestHead(pool, true));
      if (nowMs - sinceMs > SLOW_AFTER_MS) this.#judge(pool, sinceMs, nowMs);
      else if (nowMs - blockedMs > PING_BLOCKED_AFTER_MS) this.#judge(pool, blockedMs, nowMs - PING_BLOCKED_AFTER_MS);
    }
  }

  /** When the node last gave a sign of life, or had something to answer. */
  #heardMs(pool: Pool, sinceMs: number): number {
    return Math.max(sinceMs, this.#answeredAtMs.get(pool.node.address) ?? 0);
  }

  #judge(pool: Pool, sinceMs: number, nowMs: number): void {
    const { address } = pool.node;
    const silentMs = Math.round(nowMs - this.#heardMs(pool, sinceMs));
    const limitMs = this.#isDeposed(pool) ? DEPOSED_SILENCE_MS : this.#options.limits.nodeSilenceMs;
    if (silentMs >= limitMs) {
      pool.destroy('silent', `did not answer for ${silentMs} ms`);
      return;
    }
    if (silentMs > SLOW_AFTER_MS) this.#options.onSuspect(pool);
    if (!this.#pinging.has(address)) void this.#ping(pool);
  }

  /** Whether it was a primary, whose late OK must not be passed on. A replica that runs a script is only slow. */
  #isDeposed(pool: Pool): boolean {
    if (pool.isReplica && pool.connections.some(({ head }) => head?.call !== undefined && head.isReplicaRead))
      return false;
    return !this.#options.topology().shards.some((shard) => shard.primary.address === pool.node.address);
  }

  async #ping(pool: Pool): Promise<void> {
    const { address } = pool.node;
    this.#pinging.add(address);
    try {
      await this.#options.clients.call(pool.node, 'PING');
      this.#answeredAtMs.set(address, performance.now());
    } catch (error) {
      if (isReply(error)) this.#answeredAtMs.set(address, performance.now());
    } finally {
      this.#pinging.delete(address);
    }
  }
}

/**
 * Since when the longest waiting head of a pool's connections waits, of those that block or the others; else never.
 * Connections that are being made count: a frozen process accepts them, and answers no handshake.
 */
function oldestHead(pool: Pool, isBlocking: boolean): number {
  let sinceMs = Number.POSITIVE_INFINITY;
  for (const { head, isPaused, isWaiting } of pool.connections) {
    if (isWaiting !== isBlocking || head === undefined || isPaused) continue;
    sinceMs = Math.min(sinceMs, head.sinceMs);
  }
  return sinceMs;
}
