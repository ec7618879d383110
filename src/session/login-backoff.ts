/**
 * Slows down who guesses passwords: from the 5th failed login of an address on, every answer to a login from there comes
 * later, twice as late each time, up to some seconds. Good logins wait too, or a guesser would not have to wait for the
 * bad ones. Other addresses are not concerned. An address is forgiven when it has failed no more for a while.
 */
const FREE_FAILURES = 4;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
const FORGIVEN_AFTER_MS = 60_000;
/** Addresses remembered; beyond, the one that failed longest ago is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Failures {
  readonly count: number;
  readonly lastMs: number;
}

export class LoginBackoff {
  readonly #byAddress = new Map<string, Failures>();

  get size(): number {
    return this.#byAddress.size;
  }

  /** How long the answer to a login from there has to wait. */
  delayMs(address: string, nowMs: number): number {
    const count = this.#countOf(address, nowMs);
    if (count <= FREE_FAILURES) return 0;
    return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(count - FREE_FAILURES - 1, 10));
  }

  /** A login from there failed. */
  onFailure(address: string, nowMs: number): void {
    const count = this.#countOf(address, nowMs) + 1;
    this.#byAddress.delete(address);
    this.#byAddress.set(address, { count, lastMs: nowMs });
    if (this.#byAddress.size <= MAX_ADDRESSES) return;
    const [oldest] = this.#byAddress.keys();
    if (oldest !== undefined) this.#byAddress.delete(oldest);
  }

  #countOf(address: string, nowMs: number): number {
    const failures = this.#byAddress.get(address);
    return failures === undefined || nowMs - failures.lastMs > FORGIVEN_AFTER_MS ? 0 : failures.count;
  }
}
