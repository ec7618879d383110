/**
 * Clients that count: each sends pipelines of increments, by INCR, EVAL and EVALSHA, and keeps book of what was
 * acknowledged, what failed, and what may have run. Whoever breaks the cluster meanwhile can hold the books against it.
 */
import { createHash } from 'node:crypto';
import { RawClient } from './client.ts';

export interface LoadOptions {
  readonly port: number;
  readonly keys: readonly string[];
  readonly clients?: number;
  readonly depth?: number;
}

export interface Books {
  /** Increments acknowledged, by key. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Increments answered `may have run`, by key. */
  readonly uncertain: ReadonlyMap<string, number>;
  /** Every error text, with how often it came. */
  readonly errors: ReadonlyMap<string, number>;
  /** The longest a pipeline took, in milliseconds. */
  readonly worstPauseMs: number;
}

export const COUNT_SCRIPT = "return redis.call('INCR', KEYS[1])";
export const COUNT_SHA = createHash('sha1').update(COUNT_SCRIPT).digest('hex');

export class Load {
  readonly #options: LoadOptions;
  readonly #acknowledged = new Map<string, number>();
  readonly #uncertain = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  #worstPauseMs = 0;
  #isStopping = false;
  #running: Promise<void>[] = [];
  #rounds = 0;

  private constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Starts the clients; resolves when each has had its first replies. */
  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    const clients = options.clients ?? 4;
    const first: Promise<void>[] = [];
    for (let i = 0; i < clients; i++) {
      first.push(
        new Promise((resolve) => {
          load.#running.push(load.#run(i, resolve));
        }),
      );
    }
    await Promise.all(first);
    return load;
  }

  /** Pipelines answered so far. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Lets every client finish its pipeline, and gives the books. */
  async stop(): Promise<Books> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    return {
      acknowledged: this.#acknowledged,
      uncertain: this.#uncertain,
      errors: this.#errors,
      worstPauseMs: this.#worstPauseMs,
    };
  }

  async #run(client: number, onFirst: () => void): Promise<void> {
    const { port, keys, depth = 20 } = this.#options;
    const connection = await RawClient.connect(port);
    for (let round = 0; !this.#isStopping || round === 0; round++) {
      const chosen = Array.from(
        { length: depth },
        (_, i) => keys[(client * 7 + round * depth + i) % keys.length] ?? '',
      );
      const startedAt = performance.now();
      const replies = await connection.pipeline(chosen.map(requestFor));
      this.#worstPauseMs = Math.max(this.#worstPauseMs, performance.now() - startedAt);
      replies.forEach((reply, i) => {
        this.#note(chosen[i] ?? '', reply.toString());
      });
      this.#rounds++;
      onFirst();
    }
    connection.close();
  }

  #note(key: string, reply: string): void {
    if (reply.startsWith(':')) return add(this.#acknowledged, key);
    const text = reply.slice(1, -2).replace(/\d+\.\d+\.\d+\.\d+:\d+/, 'NODE');
    add(this.#errors, text);
    if (text.includes('may have run')) add(this.#uncertain, key);
  }
}

function requestFor(key: string, i: number): string[] {
  if (i % 3 === 0) return ['INCR', key];
  return i % 3 === 1 ? ['EVALSHA', COUNT_SHA, '1', key] : ['EVAL', COUNT_SCRIPT, '1', key];
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
