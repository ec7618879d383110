/**
 * Paces the look for entries that vanished from the store: rounds over all scripts, a piece at a time, so that a large
 * registry is no burst.
 */
import type { Script } from '../../script/script.ts';
import type { Sha } from '../../script/sha.ts';

const ROUND_MS = 10_000;
const PIECE = 256;

export class SweepRound {
  readonly #now: () => number;
  #waiting: Script[] = [];
  #startedMs: number;
  #isWanted = false;

  constructor(now: () => number) {
    this.#now = now;
    this.#startedMs = now();
  }

  /** Something was lost: a new round at once. */
  begin(): void {
    this.#isWanted = true;
  }

  /** The scripts to look for now; most of the time none. */
  next(scripts: ReadonlyMap<Sha, Script>): Script[] {
    if (this.#isWanted || (this.#waiting.length === 0 && this.#now() - this.#startedMs >= ROUND_MS)) {
      this.#waiting = [...scripts.values()];
      this.#startedMs = this.#now();
      this.#isWanted = false;
    }
    return this.#waiting.splice(0, PIECE);
  }
}
