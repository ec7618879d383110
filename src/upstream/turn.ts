/**
 * One turn of the event loop: whoever has something to write asks for a flush, and is flushed once, after every
 * socket that was readable in this turn has been read. So requests that arrive together leave in one write.
 *
 *     poll phase: data, data, data …  ─▶  check phase (setImmediate): flush, flush …
 *
 * The clock is read once per turn: by the first who asks for a flush, or for the time before that.
 */
export interface Flushable {
  flush(): void;
  /** Owned by the turn: whether a flush was asked for. */
  isScheduled: boolean;
}

export class Turn {
  #nowMs = 0;
  /** The last reading of the clock in microseconds that wrap around: a difference, cut to 32 bits, holds for half an hour. Never 0. */
  lastUs = 1;
  #waiting: Flushable[] = [];
  #spare: Flushable[] = [];
  #isArmed = false;
  readonly #run = (): void => this.#flushAll();

  schedule(flushable: Flushable): void {
    if (flushable.isScheduled) return;
    flushable.isScheduled = true;
    this.#waiting.push(flushable);
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#readClock();
    setImmediate(this.#run);
  }

  /** Whole milliseconds of a monotonic clock in this turn: small integers, which V8 stores without a box. */
  now(): number {
    return this.#isArmed ? this.#nowMs : this.#readClock();
  }

  /** As `now`, by the last reading, whenever that was: right behind a socket's data, which are read with one. */
  get lastMs(): number {
    return this.#nowMs;
  }

  #readClock(): number {
    const nowMs = performance.now();
    this.#nowMs = Math.floor(nowMs);
    this.lastUs = (nowMs * 1000) | 1;
    return this.#nowMs;
  }

  #flushAll(): void {
    const flushing = this.#waiting;
    this.#waiting = this.#spare;
    this.#isArmed = false;
    for (const flushable of flushing) {
      flushable.isScheduled = false;
      flushable.flush();
    }
    flushing.length = 0;
    this.#spare = flushing;
  }
}
