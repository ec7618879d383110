/**
 * One client of the chaos test: sends pipeline after pipeline, checks that every reply belongs to its request, and
 * enters it into the books. When its evalgate dies it goes on at another one.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { encodeCommand, RawClient } from '../support/client.ts';
import { Random } from '../support/random.ts';
import { OWN_CONNECTION_ENDED } from './books.ts';
import type { ChaosLoad, Stretch } from './load.ts';
import {
  bringing,
  type ChaosScript,
  EVALED,
  evalBody,
  evalsha,
  get,
  incr,
  KNOWN,
  LOADED,
  LOADED_TWO,
  mget,
  newScript,
  type Operation,
  scriptExists,
  scriptLoad,
} from './operations.ts';

/** Requests of a pipeline: 1 to that, 16 on the average. */
const MAX_DEPTH = 31;
/** A breath between pipelines, up to that: what counts is what happens, not how much of it. */
const MAX_BREATH_MS = 8;
const RECONNECT_MS = 20;
/** Every so many pipelines a client loads a script that nobody had before. */
const LOAD_EVERY = 40;
const MAX_OWN_SCRIPTS = 20;
/** RawClient waits for a reply no longer than that; a client that waited so long hangs. */
const NO_REPLY = 'no reply within';

export class ChaosClient {
  readonly #load: ChaosLoad;
  readonly #index: number;
  readonly #random: Random;
  #connection: RawClient | undefined;
  #isLeaving = false;
  #stretch: Stretch;
  #sequence = 0;
  #lastReplyAtMs = performance.now();
  /** The last value told for each counter of the stretch. */
  readonly #lastValues = new Map<string, number>();
  /** To be brought before anything else, because we were told NOSCRIPT. */
  readonly #missing = new Set<ChaosScript>();
  /** Loaded by this client, the newest last. */
  readonly own: ChaosScript[] = [];
  pipelineCount = 0;
  /** When it was first told of an increment that `load.watched` asks for. */
  recoveredAtMs: number | undefined;

  constructor(load: ChaosLoad, index: number) {
    this.#load = load;
    this.#index = index;
    this.#random = new Random(load.seed + index);
    this.#stretch = load.stretch;
  }

  /** The stretch that its pipeline in flight belongs to. */
  get stretch(): Stretch {
    return this.#stretch;
  }

  /** Until the load is stopped. Rejects when a reply does not come. */
  async run(): Promise<void> {
    while (!this.#load.isStopping) {
      if (this.#stretch !== this.#load.stretch) this.#lastValues.clear();
      this.#stretch = this.#load.stretch;
      await this.#runPipeline();
      this.pipelineCount++;
      await pause(this.#random.below(MAX_BREATH_MS));
    }
    this.#connection?.close();
  }

  /** Connects anew before the next pipeline: to its own evalgate, if that is there. */
  goHome(): void {
    this.#isLeaving = true;
  }

  /** Calls only what it loads from now on, and what everybody knows. */
  forgetOwn(): void {
    this.own.length = 0;
  }

  async #connected(): Promise<RawClient> {
    if (this.#isLeaving) {
      this.#connection?.close();
      this.#connection = undefined;
      this.#isLeaving = false;
    }
    while (this.#connection === undefined) {
      try {
        this.#connection = await RawClient.connect(this.#load.portFor(this.#index));
      } catch {
        await pause(RECONNECT_MS);
      }
    }
    return this.#connection;
  }

  async #runPipeline(): Promise<void> {
    const connection = await this.#connected();
    const operations = this.#compose();
    connection.send(Buffer.concat(operations.map(({ args }) => encodeCommand(args))));
    for (const [i, operation] of operations.entries()) {
      const reply = await nextReply(connection);
      this.#notePause();
      if (reply !== undefined) {
        this.#note(operation, reply);
        continue;
      }
      for (const unanswered of operations.slice(i)) this.#stretch.books.fail(unanswered, OWN_CONNECTION_ENDED);
      this.#connection = undefined;
      return;
    }
  }

  // ── what it asks ────────────────────────────────────────────────────────────────────────────────────────────

  #compose(): Operation[] {
    const operations = [...this.#missing].map((script) => bringing(script, this.#key(), this.#id()));
    this.#missing.clear();
    if (this.pipelineCount % LOAD_EVERY === this.#index) {
      const script = newScript(`${this.#load.seed}.${this.#id()}`);
      operations.push(scriptLoad(script), evalsha(script, [this.#key()], this.#id()));
    }
    const depth = 1 + this.#random.below(MAX_DEPTH);
    while (operations.length < depth) operations.push(this.#any());
    return operations;
  }

  #any(): Operation {
    const roll = this.#random.below(100);
    if (roll < 40) return evalsha(this.#random.pick(LOADED), [this.#key()], this.#id());
    if (roll < 55) return evalsha(LOADED_TWO, this.#random.pick(this.#stretch.pairs), this.#id());
    if (roll < 65) return evalsha(EVALED, [this.#key()], this.#id());
    if (roll < 70) return this.#callNew();
    if (roll < 80) return evalBody(this.#key(), this.#id());
    if (roll < 92) return incr(this.#key());
    if (roll < 96) return get(this.#key());
    if (roll < 98) return mget(this.#random.pick(this.#stretch.pairs));
    return scriptExists(LOADED);
  }

  /** A script that this client loaded, or another one, at whichever evalgate, while all was quiet. */
  #callNew(): Operation {
    const scripts = this.#random.below(2) === 0 ? this.own : this.#load.shared;
    return evalsha(scripts.length > 0 ? this.#random.pick(scripts) : LOADED[0], [this.#key()], this.#id());
  }

  #key(): string {
    return this.#random.pick(this.#random.pick(this.#stretch.pairs));
  }

  #id(): string {
    return `${this.#index}.${this.#sequence++}`;
  }

  // ── what it is told ─────────────────────────────────────────────────────────────────────────────────────────

  #notePause(): void {
    const nowMs = performance.now();
    const { books } = this.#stretch;
    books.worstPauseMs = Math.max(books.worstPauseMs, nowMs - this.#lastReplyAtMs);
    this.#lastReplyAtMs = nowMs;
  }

  #note(operation: Operation, reply: string): void {
    const { books } = this.#stretch;
    books.replyCount++;
    if (reply.startsWith('-NOSCRIPT ')) return this.#onNoscript(operation, reply);
    if (reply.startsWith('-')) return books.fail(operation, reply.slice(1, -2));
    if (operation.args[1] === 'EXISTS' && reply.includes(':0\r\n')) return books.noscript('SCRIPT EXISTS: 0');
    const values = operation.read(reply);
    if (values === undefined) return books.strange(operation, reply);
    operation.counts.forEach((key, i) => {
      this.#acknowledge(key, values[i] ?? 0);
    });
    if (operation.args[1] === 'LOAD' && operation.brings !== undefined) this.#remember(operation.brings);
  }

  #acknowledge(key: string, value: number): void {
    const { books } = this.#stretch;
    books.acknowledge(key, value);
    if (value <= (this.#lastValues.get(key) ?? 0)) books.disorderCount++;
    this.#lastValues.set(key, value);
    const { watched } = this.#load;
    if (watched !== undefined && this.recoveredAtMs === undefined && watched.covers(key)) {
      this.recoveredAtMs = this.#lastReplyAtMs;
    }
  }

  #remember(script: ChaosScript): void {
    if (KNOWN.includes(script) || this.own.includes(script)) return;
    this.own.push(script);
    if (this.own.length > MAX_OWN_SCRIPTS) this.own.shift();
    if (this.#stretch.isQuiet) this.#load.share(script);
  }

  #onNoscript({ script }: Operation, reply: string): void {
    const [, name = ''] = script?.body.split(' -- ') ?? [];
    this.#stretch.books.noscript(`${reply.slice(1, -2)} (script "${name}")`);
    if (script !== undefined) this.#missing.add(script);
  }
}

/** The next reply; undefined when the connection ended. Rejects when none comes. */
async function nextReply(connection: RawClient): Promise<string | undefined> {
  try {
    return String(await connection.reply());
  } catch (error) {
    if (String(error).includes(NO_REPLY)) throw error;
    return undefined;
  }
}
