/**
 * `workers: N`: the process that has the workers. It serves no clients and knows no nodes: it starts workers, puts
 * another in the place of one that dies, passes on what they ask of each other, and answers for all of them at the admin
 * port.
 *
 *     port ─▶ Acceptor ─▶ worker 0: ProxyServer ─┐
 *                     ├─▶ worker 1: ProxyServer ─┼── Peer ──▶ Primary: memory of scripts, totals, reload, stop, admin port
 *                     └─▶ …                      ┘
 *
 * A reload is prepared by all workers and then carried out by all; one that cannot go along is replaced.
 */
import type { Logger } from 'pino';
import { OperatorError } from '../../base/operator-error.ts';
import type { ListenAddress } from '../../session/listener.ts';
import type { FactTeller } from '../admin/facts.ts';
import type { AdminHost } from '../admin/source.ts';
import { AdminPort } from '../admin-port.ts';
import type { Config } from '../config.ts';
import type { Change } from '../config-diff.ts';
import { type Prepared, Reloader, type ReloadOutcome } from '../reload.ts';
import { bounded } from '../stores/bounded.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { Acceptor } from './acceptor.ts';
import type { Outcome } from './calls.ts';
import { PrimaryFacts } from './primary-facts.ts';
import { Relay } from './relay.ts';
import { Respawn } from './respawn.ts';
import { configForWorker } from './worker-config.ts';
import { type Ended, resultOf, WorkerHandle } from './worker-handle.ts';

/** To check another config, files and scripts included. */
const PREPARE_MS = 30_000;
/** What a worker may take to end beyond `listen.drain_ms`. */
const END_MS = 5000;

export class Primary implements AdminHost {
  readonly log: Logger;
  address: ListenAddress = { host: '', port: 0 };
  /** Of the cluster, when the first worker began to serve. */
  shards = 0;
  #config: Config;
  /** What the workers go by. */
  #workerConfig: Config;
  readonly #workers: (WorkerHandle | undefined)[];
  readonly #store: MemoryStore;
  readonly #relay: Relay;
  readonly #acceptor: Acceptor;
  readonly #facts: PrimaryFacts;
  readonly #reloader: Reloader;
  readonly #admin = new AdminPort();
  #isServing = false;
  #stopping: Promise<void> | undefined;

  /** Resolves when all workers serve. Throws an OperatorError when one cannot. */
  static async start(config: Config, log: Logger, readConfig: () => Config): Promise<Primary> {
    const primary = new Primary(config, log, readConfig);
    try {
      await primary.#admin.open(primary);
      // Clients that come before a worker serves wait for one.
      primary.address = await primary.#acceptor.listen(config.listen);
      // What is wrong is wrong for all of them: the first one tells.
      primary.shards = await primary.#fork(0, 0).started;
      await Promise.all(Array.from({ length: config.workers - 1 }, (_, i) => primary.#fork(i + 1, 0).started));
      primary.#isServing = true;
    } catch (error) {
      await primary.stop();
      throw error;
    }
    return primary;
  }

  private constructor(config: Config, log: Logger, readConfig: () => Config) {
    this.#config = config;
    this.#workerConfig = configForWorker(config, config.workers);
    this.log = log;
    this.#workers = new Array<WorkerHandle | undefined>(config.workers).fill(undefined);
    this.#store = new MemoryStore(config.scripting.registry_max_bytes);
    this.#relay = new Relay(() => this.#serving, this.#store);
    this.#acceptor = new Acceptor(() => this.#serving, log);
    this.#facts = new PrimaryFacts(() => this.#problem());
    this.#reloader = new Reloader({
      log,
      read: readConfig,
      current: () => this.#config,
      isStopping: () => this.#stopping !== undefined,
      prepare: (next) => this.#prepare(next),
    });
  }

  get config(): Config {
    return this.#config;
  }

  /** Where the admin port is served, when it is. */
  get adminAddress(): ListenAddress | undefined {
    return this.#admin.address;
  }

  get tellers(): readonly FactTeller[] {
    return [...this.#serving, this.#facts];
  }

  /** Reads the config anew, and has all workers go by it, or none. Never rejects. */
  reload(): Promise<ReloadOutcome> {
    return this.#reloader.reload();
  }

  /** Has all workers finish what is in flight within `listen.drain_ms`, and ends. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #serving(): WorkerHandle[] {
    return this.#workers.flatMap((worker) => (worker?.isUp ? [worker] : []));
  }

  #problem(): string | undefined {
    if (this.#stopping !== undefined) return 'evalgate is stopping';
    return this.#serving.length === 0 ? 'no worker serves' : undefined;
  }

  // ── workers ─────────────────────────────────────────────────────────────────────────────────────────────────

  #fork(index: number, generation: number, respawn = new Respawn()): WorkerHandle {
    const worker = new WorkerHandle({
      index,
      workers: this.#workers.length,
      generation,
      config: this.#workerConfig,
      address: this.address,
      handlersFor: (asking) => this.#relay.handlersFor(asking),
    });
    this.#workers[index] = worker;
    worker.started.then(
      () => {
        this.log.info({ worker: index, worker_pid: worker.pid }, 'a worker serves');
        this.#acceptor.onServing();
      },
      // The first ones are waited for by `start`.
      (error: Error) => {
        if (generation > 0) this.log.error({ worker: index, reason: error.message }, 'a worker cannot start');
      },
    );
    void worker.ended.then((end) => this.#onEnded(worker, end, respawn));
    return worker;
  }

  #onEnded(worker: WorkerHandle, end: Ended, respawn: Respawn): void {
    const { index, generation, pid, lastSample, lastMetrics } = worker;
    this.#workers[index] = undefined;
    this.#facts.onGone(lastSample, lastMetrics);
    // One of the first ones cannot start: `start` fails.
    if (this.#stopping !== undefined || !this.#isServing) return;
    const delayMs = respawn.delayMs();
    this.log.error(
      { worker: index, worker_pid: pid, ...end, delay_ms: delayMs },
      'a worker has ended: another takes its place',
    );
    setTimeout(() => {
      if (this.#stopping === undefined) this.#fork(index, generation + 1, respawn);
    }, delayMs);
  }

  // ── reload ──────────────────────────────────────────────────────────────────────────────────────────────────

  async #prepare(next: Config): Promise<Prepared> {
    const config = configForWorker(next, this.#workers.length);
    const asked = this.#serving.map(async (worker) => ({
      worker,
      changes: resultOf(await this.#askToPrepare(worker, config)),
    }));
    const prepared = await Promise.all(asked);
    return {
      fileChanges: prepared[0]?.changes ?? [],
      commit: async () => {
        this.#config = next;
        this.#workerConfig = config;
        this.log.level = next.log.level;
        this.#store.resize(next.scripting.registry_max_bytes);
        await Promise.all(prepared.map(({ worker }) => this.#commit(worker, config)));
        this.#replaceStale();
      },
    };
  }

  async #askToPrepare(worker: WorkerHandle, config: Config): Promise<Outcome<readonly Change[]>> {
    try {
      return await worker.ask('prepare', config, { timeoutMs: PREPARE_MS });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new OperatorError('EVALGATE_WORKER', `worker ${worker.index} cannot check it: ${reason}`, { cause });
    }
  }

  async #commit(worker: WorkerHandle, config: Config): Promise<void> {
    try {
      resultOf(await worker.ask('commit', undefined));
      worker.config = config;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.log.error({ worker: worker.index, reason }, 'a worker cannot go by the new config');
    }
  }

  /** Those that could not go along, and those that began meanwhile. */
  #replaceStale(): void {
    for (const worker of this.#workers) if (worker !== undefined && worker.config !== this.#workerConfig) worker.kill();
  }

  // ── stop ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #stop(): Promise<void> {
    const { drain_ms: drainMs } = this.#config.listen;
    const workers = this.#workers.flatMap((worker) => worker ?? []);
    const clients = workers.reduce((sum, { load }) => sum + load, 0);
    if (this.#isServing) this.log.info({ clients, workers: workers.length, drain_ms: drainMs }, 'draining');
    this.#acceptor.close();
    for (const worker of workers) worker.stop();
    const all = Promise.all(workers.map(({ ended }) => ended));
    await bounded(all, drainMs + END_MS).catch(() => {
      for (const worker of workers) worker.kill();
      return all;
    });
    await this.#admin.close();
    this.log.info('stopped');
  }
}
