/**
 * One run of an asynchronous step at a time, joined only by those who came before it began: what a run under way reads
 * may be older than the question, so whoever asks meanwhile gets the next run.
 */
export class SingleFlight {
  readonly #step: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(step: () => Promise<void>) {
    this.#step = step;
  }

  /** Nothing runs and nobody waits. */
  get isIdle(): boolean {
    return this.#running === undefined;
  }

  /** Settles as a run does that begins after this call. */
  run(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  #start(): Promise<void> {
    const run = this.#step().finally(() => {
      if (this.#running === run) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }
}
