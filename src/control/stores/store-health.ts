/**
 * Whether the store answers. Every question goes through `try`, which bounds the wait, turns a failure into `false`,
 * counts it, and logs the first one; the keeper says when everything is caught up.
 */
import type { Logger } from 'pino';
import { bounded } from './bounded.ts';
import type { StoreCounters } from './store-counters.ts';

/** Nothing that waits for the store waits longer. */
export const PATIENCE_MS = 1000;

export class StoreHealth {
  readonly #name: string;
  readonly #log: Logger;
  readonly #counters: StoreCounters;
  #isDegraded = false;
  #isOver = false;

  constructor(name: string, log: Logger, counters: StoreCounters) {
    this.#name = name;
    this.#log = log;
    this.#counters = counters;
  }

  /** Whether the store did it, in time. What it does later must do no harm. */
  async try(what: string, step: () => Promise<void>): Promise<boolean> {
    if (this.#isOver) return false;
    try {
      await bounded(step(), PATIENCE_MS);
      return true;
    } catch (error) {
      this.onFailure(what, error);
      return false;
    }
  }

  onFailure(what: string, error: unknown): void {
    if (this.#isOver) return;
    this.#counters.failures++;
    if (this.#isDegraded) return;
    this.#isDegraded = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.warn(
      { store: this.#name, what, reason },
      'the script store does not answer: scripts are kept in memory and written when it does',
    );
  }

  /** The store answers and lacks nothing. */
  onCaughtUp(): void {
    if (!this.#isDegraded) return;
    this.#isDegraded = false;
    this.#log.info({ store: this.#name }, 'the script store answers again, and holds everything');
  }

  /** Nothing is asked any more, and what still fails is nobody's concern. */
  end(): void {
    this.#isOver = true;
  }
}
