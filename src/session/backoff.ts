/**
 * When what failed may be tried again: at once after a first failure, then after 50 ms, and twice as long each time up
 * to 5 s. Who has not failed for a while begins anew. Delays vary by a quarter, so that many do not come at once.
 */
const FIRST_MS = 50;
const LONGEST_MS = 5000;
const FORGET_AFTER_MS = 2 * LONGEST_MS;

interface Entry {
  failures: number;
  failedAtMs: number;
  retryAtMs: number;
}

export class Backoff {
  readonly #entries = new Map<string, Entry>();
  readonly #random: () => number;

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  failed(key: string, nowMs: number): void {
    this.#forget(nowMs);
    const entry = this.#entries.get(key) ?? { failures: 0, failedAtMs: 0, retryAtMs: 0 };
    const delayMs = entry.failures === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (entry.failures - 1));
    entry.failures++;
    entry.failedAtMs = nowMs;
    entry.retryAtMs = nowMs + delayMs * (0.75 + this.#random() / 4);
    this.#entries.set(key, entry);
  }

  /** Whether it failed of late. */
  hasFailed(key: string): boolean {
    return this.#entries.has(key);
  }

  mayTry(key: string, nowMs: number): boolean {
    return (this.#entries.get(key)?.retryAtMs ?? 0) <= nowMs;
  }

  /** Milliseconds until the next of those that must wait may be tried; undefined when none must. */
  waitMs(nowMs: number): number | undefined {
    let first: number | undefined;
    for (const { retryAtMs } of this.#entries.values()) {
      if (retryAtMs > nowMs) first = Math.min(first ?? retryAtMs, retryAtMs);
    }
    return first === undefined ? undefined : first - nowMs;
  }

  #forget(nowMs: number): void {
    for (const [key, { failedAtMs }] of this.#entries) {
      if (nowMs - failedAtMs > FORGET_AFTER_MS) this.#entries.delete(key);
    }
  }
}
