/**
 * Scripts that the store is still to get: in batches, a moment after they came, and again until it has them. Called by
 * StoreKeeper, which also writes at once what a client waits for.
 */
import type { Script } from '../../script/script.ts';
import type { Sha } from '../../script/sha.ts';
import type { ScriptStore, StoredScript } from './script-store.ts';
import type { StoreCounters } from './store-counters.ts';
import type { StoreHealth } from './store-health.ts';

const DELAY_MS = 100;
const BATCH = 100;
const BATCH_BYTES = 1_048_576;
/** Scripts of EVAL origin that wait; one more is tried again at its next use. */
const MAX_WAITING = 1000;
const DAY_MS = 86_400_000;

export interface WriteBehindOptions {
  readonly store: ScriptStore;
  readonly health: StoreHealth;
  readonly counters: StoreCounters;
  /** Bytes of EVAL-origin bodies that are written in a day. */
  readonly maxEvalBytesPerDay: number;
  readonly now: () => number;
  /** The epoch that was read just before a batch is written; scripts may be forgotten by it. */
  readonly onEpoch: (epoch: number) => void;
}

export class WriteBehind {
  readonly #options: WriteBehindOptions;
  readonly #waiting = new Map<Sha, Script>();
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  #day = 0;
  #bytesLeftToday = 0;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** To be written at the next `writeAll`. */
  add(script: Script): void {
    this.#waiting.set(script.sha, script);
  }

  /** A script of EVAL origin, to be written soon; false when there are too many. */
  addSoon(script: Script): boolean {
    if (this.#waiting.size >= MAX_WAITING || !this.#spend(script.body.length)) {
      this.#options.counters.notSaved++;
      return false;
    }
    this.add(script);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.writeAll();
    }, DELAY_MS);
    return true;
  }

  /** It was forgotten. */
  remove(script: Script): void {
    if (this.#waiting.get(script.sha) === script) this.#waiting.delete(script.sha);
  }

  /** All that waits, until the store fails. Never rejects. */
  async writeAll(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const { store, health, onEpoch } = this.#options;
    const writeBatch = async () => {
      onEpoch(await store.epoch());
      await this.write(nextBatch(this.#waiting.values()));
    };
    while (this.#waiting.size > 0 && (await health.try('save', writeBatch)));
    this.#isWriting = false;
  }

  /** Resolves when the store has them as they are now. Rejects when it does not answer. */
  async write(scripts: readonly Script[]): Promise<void> {
    const entries = scripts.map(entryOf);
    await this.#options.store.put(entries);
    this.#options.counters.saved += entries.length;
    scripts.forEach((script, i) => {
      const { origin, epoch } = entries[i] ?? script;
      if (script.origin === origin && script.epoch === epoch) this.remove(script);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** A flood of scripts that are each used a few times must not fill the store. */
  #spend(bytes: number): boolean {
    const day = Math.floor(this.#options.now() / DAY_MS);
    if (this.#day !== day) {
      this.#day = day;
      this.#bytesLeftToday = this.#options.maxEvalBytesPerDay;
    }
    if (this.#bytesLeftToday < bytes) return false;
    this.#bytesLeftToday -= bytes;
    return true;
  }
}

export function entryOf({ sha, body, origin, epoch }: Script): StoredScript {
  return { sha, body, origin, epoch };
}

/** At most so many, and together not much larger than BATCH_BYTES. */
function nextBatch(waiting: Iterable<Script>): Script[] {
  const batch: Script[] = [];
  let bytes = 0;
  for (const script of waiting) {
    batch.push(script);
    bytes += script.body.length;
    if (batch.length >= BATCH || bytes >= BATCH_BYTES) break;
  }
  return batch;
}
