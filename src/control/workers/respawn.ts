/** How long the place of a worker that died stays empty: not at all, unless they die one after the other. */

/** A worker that lived so long is not blamed for the one before. */
const SETTLED_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;

export class Respawn {
  readonly #now: () => number;
  #startedMs: number;
  #quickDeaths = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedMs = now();
  }

  /** A worker died: when, in milliseconds from now, the next one is to start. */
  delayMs(): number {
    const nowMs = this.#now();
    this.#quickDeaths = nowMs - this.#startedMs < SETTLED_MS ? this.#quickDeaths + 1 : 0;
    const delayMs =
      this.#quickDeaths < 2 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#quickDeaths - 2, 10));
    this.#startedMs = nowMs + delayMs;
    return delayMs;
  }
}
