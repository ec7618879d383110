/**
 * Brings scripts of LOAD origin to nodes before a client asks for them there, in the background. It only saves time: a
 * script that is not there yet goes up with its first use (C5), and no request ever waits for this.
 *
 *     SCRIPT LOAD ────▶ its sha, for every replica ─┐ at most QUEUE, beyond that the node's turn covers all
 *     node arrived ───▶ all shas of the registry ───┴▶ SCRIPT EXISTS of a piece ─▶ SCRIPT LOAD of what is missing
 *
 * Invariants: queues hold shas, never bodies; one request in flight for each node, ACTIVE nodes at a time; a node that
 * is busy, loading or away is left alone for a while, TRIES times. From `holdForFlush` to `release` nothing is sent, and
 * nothing to a node that still owes a flush, so that what was flushed does not come back. Connections are not marked:
 * a mark would save one body for each connection, and could cost a NOSCRIPT that nobody foresees.
 */
import type { Logger } from 'pino';
import type { Node, Topology } from '../cluster/topology.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import type { Script } from '../script/script.ts';
import type { Sha } from '../script/sha.ts';
import type { ScriptWarming } from '../session/runtime.ts';
import type { ControlClients } from './control-clients.ts';
import { isReply } from './topology-source.ts';

const QUEUE = 1000;
const PIECE = 100;
const ACTIVE = 8;
const TRIES = 12;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** Longer than any flush takes: whoever held and vanished does not stop warming for good. */
const LONGEST_HOLD_MS = 5000;
/** The node will take it later. */
const NOT_NOW = /^(?:BUSY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN) /;

export interface ScriptWarmerOptions {
  readonly clients: ControlClients;
  readonly registry: ScriptRegistry;
  readonly log: Logger;
  /** A SCRIPT FLUSH has not reached the node yet. */
  readonly owesFlush: (node: Node) => boolean;
}

/** What a node is still to get. */
interface Work {
  readonly node: Node;
  /** All of the registry, from `at` on. */
  all: readonly Sha[];
  at: number;
  /** Loaded since. */
  readonly queue: Set<Sha>;
  /** More came than the queue takes: all once more. */
  isOverrun: boolean;
  state: 'idle' | 'ready' | 'active' | 'waiting';
  timer: NodeJS.Timeout | undefined;
  failures: number;
  loadedCount: number;
}

export class ScriptWarmer implements ScriptWarming {
  /** Scripts that were loaded on a node ahead of their use. */
  loadedCount = 0;
  readonly #options: ScriptWarmerOptions;
  readonly #works = new Map<string, Work>();
  readonly #inFlight = new Set<Promise<void>>();
  #replicas: readonly Node[] = [];
  #activeCount = 0;
  #holders = 0;
  #holdTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ScriptWarmerOptions) {
    this.#options = options;
  }

  onTopology(topology: Topology): void {
    this.#replicas = topology.shards.flatMap((shard) => shard.replicas);
    const addresses = new Set([...topology.nodes.values()].map((node) => node.address));
    for (const [address, work] of this.#works) {
      if (!addresses.has(address)) this.#drop(work);
    }
  }

  /** The node may lack any script. */
  onArrival(node: Node): void {
    const work = this.#workOf(node);
    work.isOverrun = true;
    work.failures = 0;
    this.#begin(work);
  }

  onLoaded(script: Script): void {
    for (const replica of this.#replicas) {
      const work = this.#workOf(replica);
      if (work.queue.size < QUEUE) work.queue.add(script.sha);
      else work.isOverrun = true;
      this.#begin(work);
    }
  }

  holdForFlush(): Promise<void> | undefined {
    this.#holders++;
    clearTimeout(this.#holdTimer);
    this.#holdTimer = setTimeout(() => this.#endHold(), LONGEST_HOLD_MS).unref();
    return this.#inFlight.size === 0 ? undefined : Promise.all(this.#inFlight).then(() => {});
  }

  release(): void {
    if (this.#holders > 0) this.#holders--;
    if (this.#holders === 0) this.#endHold();
  }

  #endHold(): void {
    clearTimeout(this.#holdTimer);
    this.#holders = 0;
    this.#startReady();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#holdTimer);
    for (const work of this.#works.values()) this.#drop(work);
  }

  #workOf(node: Node): Work {
    const known = this.#works.get(node.address);
    if (known !== undefined) return known;
    const work: Work = {
      node,
      all: [],
      at: 0,
      queue: new Set(),
      isOverrun: false,
      state: 'idle',
      timer: undefined,
      failures: 0,
      loadedCount: 0,
    };
    this.#works.set(node.address, work);
    return work;
  }

  #drop(work: Work): void {
    clearTimeout(work.timer);
    this.#works.delete(work.node.address);
  }

  #begin(work: Work): void {
    if (work.state !== 'idle') return;
    work.state = 'ready';
    this.#startReady();
  }

  get #mayWork(): boolean {
    return !this.#isStopped && this.#holders === 0;
  }

  #startReady(): void {
    for (const work of this.#works.values()) {
      if (!this.#mayWork || this.#activeCount >= ACTIVE) return;
      if (work.state === 'ready') void this.#run(work);
    }
  }

  /** Never rejects. */
  async #run(work: Work): Promise<void> {
    work.state = 'active';
    this.#activeCount++;
    try {
      await this.#loadAll(work);
      work.state = hasMore(work) ? 'ready' : 'idle';
      if (work.state === 'idle') this.#tell(work);
    } catch (error) {
      this.#onFailure(work, error);
    }
    this.#activeCount--;
    this.#startReady();
  }

  /** Piece by piece, until nothing is left or it has to stop. */
  async #loadAll(work: Work): Promise<void> {
    for (;;) {
      if (work.isOverrun && work.at >= work.all.length) this.#takeAll(work);
      const piece = nextPiece(work);
      if (piece.length === 0) return;
      const isDone = await this.#loadPiece(work, piece);
      if (!isDone) return;
      work.failures = 0;
      if (work.at < work.all.length) work.at += PIECE;
      else for (const sha of piece) work.queue.delete(sha);
    }
  }

  #takeAll(work: Work): void {
    work.isOverrun = false;
    work.all = this.#options.registry.loadedShas();
    work.at = 0;
    work.queue.clear();
  }

  /** False when it had to stop before the end. */
  async #loadPiece(work: Work, piece: readonly Sha[]): Promise<boolean> {
    const { clients, registry, owesFlush } = this.#options;
    const held = (await clients.call(work.node, 'SCRIPT', 'EXISTS', ...piece)) as unknown[];
    for (const [i, sha] of piece.entries()) {
      if (!this.#mayWork || this.#works.get(work.node.address) !== work) return false;
      const script = held[i] === 1 ? undefined : registry.findBySha(sha);
      if (script?.origin !== 'load') continue;
      if (owesFlush(work.node)) throw new NotYet('its SCRIPT FLUSH is owed');
      const done = clients.call(work.node, 'SCRIPT', 'LOAD', script.body);
      await this.#track(done);
      work.loadedCount++;
      this.loadedCount++;
    }
    return true;
  }

  /** A flush waits for what is on its way, whatever comes of it. */
  async #track(done: Promise<unknown>): Promise<void> {
    const settled = done.then(
      () => {},
      () => {},
    );
    this.#inFlight.add(settled);
    try {
      await done;
    } finally {
      this.#inFlight.delete(settled);
    }
  }

  /** Later, if that may help; else clients bring what is missing. */
  #onFailure(work: Work, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    work.failures++;
    if (!this.#isStopped && work.failures <= TRIES && (!isReply(error) || NOT_NOW.test(reason))) {
      work.state = 'waiting';
      work.timer = setTimeout(
        () => {
          work.state = 'ready';
          this.#startReady();
        },
        Math.min(FIRST_WAIT_MS * 2 ** work.failures, LONGEST_WAIT_MS),
      ).unref();
      return;
    }
    work.state = 'idle';
    work.isOverrun = false;
    work.all = [];
    work.at = 0;
    work.queue.clear();
    if (this.#isStopped) return;
    this.#options.log.info(
      { node: work.node.address, reason },
      'scripts not loaded ahead: the node gets each at its first use',
    );
  }

  #tell(work: Work): void {
    work.all = [];
    work.at = 0;
    if (work.loadedCount === 0) return;
    this.#options.log.debug(
      { node: work.node.address, scripts: work.loadedCount },
      'scripts loaded ahead of their use',
    );
    work.loadedCount = 0;
  }
}

/** Not an error of the node: it is not to get anything now. */
class NotYet extends Error {}

function hasMore(work: Work): boolean {
  return work.isOverrun || work.at < work.all.length || work.queue.size > 0;
}

function nextPiece({ all, at, queue }: Work): Sha[] {
  if (at < all.length) return all.slice(at, at + PIECE);
  const piece: Sha[] = [];
  for (const sha of queue) {
    if (piece.length === PIECE) break;
    piece.push(sha);
  }
  return piece;
}
