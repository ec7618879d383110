/**
 * The clients of the chaos test together, and the stretches that their books are kept in.
 *
 * The load never stops: `turnOver` gives the clients new counters and new books while they go on, and the old books are
 * whole when each client has finished its last pipeline with them.
 */
import { RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { Books } from './books.ts';
import { ChaosClient } from './client.ts';
import { bringing, type ChaosScript, KNOWN } from './operations.ts';

export interface Stretch {
  readonly books: Books;
  /** Nothing is done to anybody: what one client loads, all may call at once. */
  readonly isQuiet: boolean;
  /** The counters, two by two of one slot. */
  readonly pairs: readonly (readonly [string, string])[];
}

export interface LoadOptions {
  /** Slots that the counters lie in. */
  readonly slots: readonly number[];
  readonly clientCount: number;
  readonly seed: number;
  /** Port of a running evalgate, for a client whose own is the one at this place. */
  readonly portFor: (index: number) => number;
}

/** Acknowledged increments that tell of recovery. */
interface Watched {
  covers(key: string): boolean;
}

const PAIRS_PER_SLOT = 2;
/** scripting.store.prefix */
const STORE_PREFIX = 'evalgate:';
const MAX_SHARED_SCRIPTS = 20;
/** The name of stretches without an event. */
export const QUIET = 'quiet';

export class ChaosLoad {
  readonly #options: LoadOptions;
  readonly #tags: readonly string[];
  #clients: ChaosClient[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #fault: unknown;
  #stretchCount = 0;
  stretch: Stretch;
  isStopping = false;
  watched: Watched | undefined;
  /** Scripts that some client loaded, the newest last. */
  readonly shared: ChaosScript[] = [];

  private constructor(options: LoadOptions) {
    this.#options = options;
    this.#tags = options.slots.map(tagInSlot);
    this.stretch = this.#newStretch(QUIET);
  }

  /** Loads the scripts and starts the clients. */
  static async start(options: LoadOptions): Promise<ChaosLoad> {
    const load = new ChaosLoad(options);
    await load.#makeCounters(load.stretch);
    const client = await RawClient.connect(options.portFor(0));
    const [[key] = ['']] = load.stretch.pairs;
    // Twice: what came by EVAL is kept for others from its second use on.
    for (const script of [...KNOWN, ...KNOWN]) {
      const operation = bringing(script, key, 'first');
      const reply = await client.text(...operation.args);
      const values = operation.read(reply) ?? [];
      for (const value of values) load.stretch.books.acknowledge(key, value);
    }
    client.close();
    // What came by EVAL is written a moment after its second use; until then no other evalgate can know it.
    await waitFor('the store has the scripts', async () => (await load.missingInStore()) === 0);
    load.#clients = Array.from({ length: options.clientCount }, (_, i) => new ChaosClient(load, i));
    const runs = load.#clients.map((one) => one.run());
    load.#running = Promise.all(runs).catch((error: unknown) => {
      load.#fault = error;
      load.isStopping = true;
    });
    await load.progress(1);
    return load;
  }

  get seed(): number {
    return this.#options.seed;
  }

  portFor(index: number): number {
    return this.#options.portFor(index);
  }

  /** New counters and new books for all that is sent from now on; resolves to the old books when they are whole. */
  async turnOver(name: string): Promise<Books> {
    const old = this.stretch;
    const next = this.#newStretch(name);
    await this.#makeCounters(next);
    this.stretch = next;
    await this.#waitFor('every client is in the new stretch', () => this.#clients.every((one) => one.stretch === next));
    return old.books;
  }

  /** Resolves when every client has had so many more pipelines answered. */
  async progress(count: number): Promise<void> {
    const wanted = this.#clients.map((one) => one.pipelineCount + count);
    await this.#waitFor('every client goes on', () =>
      this.#clients.every((one, i) => one.pipelineCount >= (wanted[i] ?? 0)),
    );
  }

  /** Resolves to the time by which every client was told of an increment in one of these slots, from now on. */
  async recovery(slots: readonly number[]): Promise<number> {
    const tags = new Set(slots.map(tagInSlot));
    for (const one of this.#clients) one.recoveredAtMs = undefined;
    this.watched = { covers: (key) => tags.has(key.slice(0, key.indexOf('}') + 1)) };
    await this.#waitFor('every client counts again', () =>
      this.#clients.every((one) => one.recoveredAtMs !== undefined),
    );
    this.watched = undefined;
    return Math.max(...this.#clients.map((one) => one.recoveredAtMs ?? 0));
  }

  share(script: ChaosScript): void {
    this.shared.push(script);
    if (this.shared.length > MAX_SHARED_SCRIPTS) this.shared.shift();
  }

  /** How many of the scripts that clients call are not in the store of the evalgates. */
  async missingInStore(): Promise<number> {
    const scripts = [...KNOWN, ...this.shared, ...this.#clients.flatMap((one) => one.own)];
    const client = await RawClient.connect(this.#options.portFor(0));
    const replies = await client.pipeline(scripts.map(({ sha }) => ['EXISTS', `${STORE_PREFIX}script:${sha}`]));
    client.close();
    return replies.filter((reply) => reply.toString() !== ':1\r\n').length;
  }

  /** All scripts but those that everybody knows are forgotten: they were flushed. */
  forgetScripts(): void {
    this.shared.length = 0;
    for (const one of this.#clients) one.forgetOwn();
  }

  /** Each client connects anew to its own evalgate. */
  goHome(): void {
    for (const one of this.#clients) one.goHome();
  }

  /** The counters of some books, read through an evalgate. */
  async counted(books: Books): Promise<Map<string, number>> {
    const { keys } = books;
    const client = await RawClient.connect(this.#options.portFor(0));
    const replies = await client.pipeline(keys.map((key) => ['GET', key]));
    client.close();
    return new Map(keys.map((key, i) => [key, counterIn(key, String(replies[i]))]));
  }

  /** Lets every client finish its pipeline; resolves to the last books. */
  async stop(): Promise<Books> {
    this.isStopping = true;
    await this.#running;
    if (this.#fault !== undefined) throw this.#fault;
    return this.stretch.books;
  }

  async #waitFor(what: string, condition: () => boolean): Promise<void> {
    await waitFor(what, () => this.#fault !== undefined || condition());
    if (this.#fault !== undefined) throw this.#fault;
  }

  #newStretch(name: string): Stretch {
    const prefix = `${this.#stretchCount++}-${name}`;
    const pairs = this.#tags.flatMap((tag) =>
      Array.from({ length: PAIRS_PER_SLOT }, (_, i) => [`${tag}${prefix}:${i}a`, `${tag}${prefix}:${i}b`] as const),
    );
    return { pairs, isQuiet: name === QUIET, books: new Books(prefix, pairs.flat()) };
  }

  /** They are there before a slot moves: of two that nobody has yet, no node can say where they are. */
  async #makeCounters({ books }: Stretch): Promise<void> {
    const client = await RawClient.connect(this.#options.portFor(0));
    const replies = await client.pipeline(books.keys.map((key) => ['SET', key, '0']));
    client.close();
    const refused = replies.map(String).find((reply) => reply !== '+OK\r\n');
    if (refused !== undefined) throw new Error(`Cannot make counters: ${refused}`);
  }
}

/** A counter that is gone was lost by a failover with all that it had: whether that may be is for the audit to say. */
function counterIn(key: string, reply: string): number {
  if (reply === '$-1\r\n') return 0;
  const match = /^\$\d+\r\n(\d+)\r\n$/.exec(reply);
  if (match === null) throw new Error(`Cannot read counter ${key}: ${reply}`);
  return Number(match[1]);
}
