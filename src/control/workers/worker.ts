/**
 * A worker: a whole proxy of its own behind the port that it shares with the others. It is told by the process that
 * started it what it is to be, asks it for what the others know, and does as it is told.
 *
 *     primary ◀── assignment, started, clients, siblings, announce, findElsewhere, store… ── worker
 *             ─── take, prepare, commit, stop, tell, operate, announced, find ──▶
 *
 * It ends on `stop` or a stop signal, when what is in flight is answered; and at once when the primary is gone.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Logger } from 'pino';
import { OperatorError } from '../../base/operator-error.ts';
import type { ScriptRegistry } from '../../script/registry.ts';
import type { Sha } from '../../script/sha.ts';
import { OPERATIONS, type SiblingCall, type SiblingCalls, type Siblings } from '../../session/siblings.ts';
import { Facts } from '../admin/facts.ts';
import { createLogger } from '../log.ts';
import { ProxyServer } from '../proxy.ts';
import type { Prepared } from '../reload.ts';
import type { ScriptStore, StoredScript } from '../stores/script-store.ts';
import { entryOf } from '../stores/write-behind.ts';
import type { ConnectionHandle } from './acceptor.ts';
import type { Assignment, Outcome, PrimaryAsks, Taken, WorkerAsks } from './calls.ts';
import type { Crew } from './crew.ts';
import { type Handlers, Peer } from './peer.ts';
import { processChannel } from './process-channel.ts';
import { RemoteStore, SharedStore, type ToPrimary } from './shared-store.ts';

/** Client ids of whoever takes a worker's place begin so much later: none comes twice. */
const IDS_OF_A_GENERATION = 2 ** 32;

/** Runs until it is to stop; resolves to the exit code. */
export async function runWorker(): Promise<number> {
  const worker = new Worker();
  return await worker.run();
}

class Worker {
  readonly #primary: ToPrimary;
  readonly #stopping: Promise<void>;
  #stop: () => void = () => {};
  #proxy: ProxyServer | undefined;
  #facts: Facts | undefined;
  #store: SharedStore | undefined;
  #siblings: RemoteSiblings | undefined;
  #prepared: Prepared | undefined;

  constructor() {
    this.#stopping = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.#primary = new Peer<PrimaryAsks, WorkerAsks>(processChannel(process), this.#handlers());
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#stop());
    // A terminal that hangs up tells all its processes; the primary reloads.
    process.on('SIGHUP', () => {});
    process.on('disconnect', () => process.exit(1));
  }

  async run(): Promise<number> {
    const assignment = await this.#primary.ask('assignment', undefined);
    const log = createLogger(assignment.config.log).child({ worker: assignment.index });
    const outcome = await outcomeOf(async () => {
      const proxy = await ProxyServer.start(assignment.config, log, { crew: this.#crew(assignment) });
      this.#proxy = proxy;
      return proxy.topology.shards.length;
    }, log);
    await this.#primary.ask('started', outcome);
    if (outcome.kind === 'failed') return 1;
    await this.#stopping;
    await this.#proxy?.stop();
    this.#facts?.stop();
    return 0;
  }

  #crew({ address, index, workers, generation }: Assignment): Crew {
    const siblings = new RemoteSiblings(this.#primary);
    this.#siblings = siblings;
    return {
      address,
      numbering: { offset: index + generation * IDS_OF_A_GENERATION * workers, step: workers },
      siblings,
      isFirst: index === 0,
      shareStore: (configured: ScriptStore | undefined) => {
        this.#store = new SharedStore(configured ?? new RemoteStore(this.#primary), this.#primary);
        return this.#store;
      },
    };
  }

  #handlers(): Handlers<PrimaryAsks> {
    return {
      take: (elsewhere, handle) => this.#take(elsewhere, handle as ConnectionHandle),
      operate: ({ call, argument }) => OPERATIONS[call](this.#running, argument as never),
      announced: (announcement) => {
        this.#store?.onAnnounced(announcement);
        return undefined;
      },
      find: (sha) => entryIn(this.#running.registry, sha),
      tell: ({ kind, query }) => {
        this.#facts ??= new Facts(this.#running);
        return this.#facts.tell(kind, query as never);
      },
      prepare: (config) =>
        outcomeOf(async () => {
          this.#prepared = await this.#running.prepare(config);
          return this.#prepared.fileChanges;
        }, this.#running.log),
      commit: () =>
        outcomeOf(async () => {
          await this.#prepared?.commit();
          this.#prepared = undefined;
          return undefined;
        }, this.#running.log),
      stop: () => {
        this.#stop();
        return undefined;
      },
    };
  }

  /** The primary has its end of the connection until this is answered; nothing is read in this turn. */
  #take(elsewhere: number, handle: ConnectionHandle): Taken {
    const proxy = this.#running;
    if (proxy.isDraining) {
      handle.close();
      return { kind: 'declined' };
    }
    if (this.#siblings !== undefined) this.#siblings.clientCount = elsewhere;
    const options = { handle, allowHalfOpen: true, pauseOnCreate: true, readable: true, writable: true };
    proxy.take(new Socket(options as unknown as SocketConstructorOpts));
    return { kind: 'taken', clients: proxy.clients.size };
  }

  get #running(): ProxyServer {
    if (this.#proxy === undefined) throw new Error('it is starting');
    return this.#proxy;
  }
}

class RemoteSiblings implements Siblings {
  clientCount = 0;
  readonly #primary: ToPrimary;
  #ownCount = 0;
  #isTelling = false;

  constructor(primary: ToPrimary) {
    this.#primary = primary;
  }

  /** Told once a turn: many may come in one. */
  onClientCount(count: number): void {
    this.#ownCount = count;
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.#primary.ask('clients', this.#ownCount).catch(() => {});
    });
  }

  async ask<K extends SiblingCall>(
    call: K,
    argument: SiblingCalls[K]['argument'],
  ): Promise<SiblingCalls[K]['answer'][]> {
    try {
      return (await this.#primary.ask('siblings', { call, argument })) as SiblingCalls[K]['answer'][];
    } catch {
      return [];
    }
  }
}

function entryIn(registry: ScriptRegistry, sha: Sha): StoredScript | undefined {
  const script = registry.findBySha(sha);
  return script === undefined ? undefined : entryOf(script);
}

/** What came of a step, as it can be sent; what nobody foresaw goes to the log as well. */
async function outcomeOf<T>(step: () => Promise<T>, log: Logger): Promise<Outcome<T>> {
  try {
    return { kind: 'done', value: await step() };
  } catch (error) {
    if (error instanceof OperatorError) {
      return { kind: 'failed', code: error.code, message: error.message, problems: error.problems };
    }
    log.error({ err: error }, 'a worker failed: this is a bug in evalgate');
    return { kind: 'failed', code: 'EVALGATE_WORKER', message: String(error), problems: [String(error)] };
  }
}
