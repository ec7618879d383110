/** One worker as the primary sees it: its process, what is asked of it, and what it told last. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { OperatorError, type OperatorErrorCode } from '../../base/operator-error.ts';
import type { ListenAddress } from '../../session/listener.ts';
import type { FactKind, FactKinds, FactTeller } from '../admin/facts.ts';
import type { Family } from '../admin/metrics.ts';
import type { SampleFacts } from '../admin/state-facts.ts';
import type { Config } from '../config.ts';
import type { ConnectionHandle } from './acceptor.ts';
import type { Outcome, PrimaryAsks, WorkerAsks } from './calls.ts';
import { type AskOptions, type Handlers, Peer } from './peer.ts';
import { processChannel } from './process-channel.ts';

const WORKER_MAIN = join(import.meta.dirname, 'worker-main.js');
/** As main.ts sets it. */
const V8_FLAGS = ['--semi-space-growth-factor=1'];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a worker may ask, but for what concerns its own start and clients. */
export type RelayHandlers = Omit<Handlers<WorkerAsks>, 'started' | 'assignment' | 'clients'>;

export interface WorkerOptions {
  readonly index: number;
  readonly workers: number;
  readonly generation: number;
  readonly config: Config;
  readonly address: ListenAddress;
  /** Who answers what it asks, and is told which one asks. */
  readonly handlersFor: (worker: WorkerHandle) => RelayHandlers;
}

export class WorkerHandle implements FactTeller {
  readonly index: number;
  readonly generation: number;
  /** The config that it goes by. */
  config: Config;
  /** It serves, and is asked. */
  isUp = false;
  /** What it told last, for when it is gone. */
  lastSample: SampleFacts | undefined;
  lastMetrics: readonly Family[] = [];
  /** It serves, and knows so many shards. Rejects with an OperatorError when it cannot start. */
  readonly started: Promise<number>;
  /** Its process is gone, and all that it had said was heard. */
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #peer: Peer<WorkerAsks, PrimaryAsks>;
  #clients = 0;
  #onItsWay = 0;

  /** Starts the process. */
  constructor({ index, workers, generation, config, address, handlersFor }: WorkerOptions) {
    this.index = index;
    this.generation = generation;
    this.config = config;
    const execArgv = [...process.execArgv, ...V8_FLAGS];
    this.#process = fork(WORKER_MAIN, [], { serialization: 'advanced', execArgv });
    let onStarted: (outcome: Outcome<number>) => void = () => {};
    const outcome = new Promise<Outcome<number>>((resolve) => {
      onStarted = resolve;
    });
    this.#peer = new Peer<WorkerAsks, PrimaryAsks>(processChannel(this.#process), {
      ...handlersFor(this),
      assignment: () => ({ config, address, index, workers, generation }),
      started: (how) => {
        this.isUp = how.kind === 'done';
        onStarted(how);
        return undefined;
      },
      clients: (count) => {
        this.#clients = count;
        return undefined;
      },
    });
    this.ended = this.#untilEnded();
    this.started = Promise.race([outcome.then(resultOf), this.ended.then((end) => this.#failToStart(end))]);
    this.started.catch(() => {});
  }

  async #untilEnded(): Promise<Ended> {
    // What cannot be started has no exit; an error of the channel is followed by one.
    const failed = once(this.#process, 'error').then((): Ended => ({ code: null, signal: null }));
    const exited = once(this.#process, 'exit').then(([code, signal]): Ended => ({ code, signal }));
    const disconnected = once(this.#process, 'disconnect').catch(() => {});
    const end = await (this.#process.pid === undefined ? failed : exited.catch(() => failed));
    this.isUp = false;
    // Before that, answers may still be on their way.
    if (this.#process.connected) await disconnected;
    this.#peer.close(`worker ${this.index} is gone`);
    return end;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Clients that it has, and those on their way to it. */
  get load(): number {
    return this.#clients + this.#onItsWay;
  }

  ask<K extends keyof PrimaryAsks & string>(
    call: K,
    argument: PrimaryAsks[K]['argument'],
    options?: AskOptions,
  ): Promise<PrimaryAsks[K]['answer']> {
    return this.#peer.ask(call, argument, options);
  }

  /** Gives it a client; false when it takes none. Rejects when it is gone: then it has not read anything from it. */
  async take(handle: ConnectionHandle, elsewhere: number): Promise<boolean> {
    this.#onItsWay++;
    try {
      // However long it takes: who was given up might take it all the same.
      const taken = await this.ask('take', elsewhere, { handle, timeoutMs: Number.POSITIVE_INFINITY });
      if (taken.kind === 'taken') this.#clients = taken.clients;
      else this.isUp = false;
      return taken.kind === 'taken';
    } catch (error) {
      // Its channel is gone, and its end will be seen in a moment: until then it must not be the one with the least load.
      this.isUp = false;
      throw error;
    } finally {
      this.#onItsWay--;
    }
  }

  async tell<K extends FactKind>(kind: K, query: FactKinds[K]['query']): Promise<FactKinds[K]['facts']> {
    const facts = (await this.ask('tell', { kind, query }).catch((error: Error) => {
      if (kind === 'problem') return `worker ${this.index} does not answer: ${error.message}`;
      throw error;
    })) as FactKinds[K]['facts'];
    if (kind === 'sample') this.lastSample = facts as SampleFacts;
    if (kind === 'metrics') this.lastMetrics = facts as readonly Family[];
    return facts;
  }

  /** Has it finish what is in flight, and end. */
  stop(): void {
    this.isUp = false;
    this.ask('stop', undefined).catch(() => this.kill());
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #failToStart({ code, signal }: Ended): never {
    const end = signal ?? `exit code ${code}`;
    throw new OperatorError('EVALGATE_WORKER', `Cannot start worker ${this.index}: it ended with ${end}`);
  }
}

/** Throws the OperatorError that it stands for. */
export function resultOf<T>(outcome: Outcome<T>): T {
  if (outcome.kind === 'done') return outcome.value;
  const { code, message, problems } = outcome;
  throw new OperatorError(code as OperatorErrorCode, message, { problems });
}
