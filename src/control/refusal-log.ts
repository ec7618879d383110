/**
 * Tells people about refused scripts: sha, rule, place, the line itself and what to change; once per sha and minute,
 * because a refused script usually comes again at once, and MAX_LINES a minute in all. The wire text stays what it is.
 */
import type { Logger } from 'pino';
import type { CheckEvents, Refusal } from '../plan/script-checks.ts';
import type { Sha } from '../script/sha.ts';

const QUIET_MS = 60_000;
/** Lines a minute: a flood of ever new scripts must not fill the log. */
const MAX_LINES = 100;
export class RefusalLog implements CheckEvents {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #toldAtMs = new Map<Sha, number>();
  #minuteSinceMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #untold = 0;

  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  onRefusal({ sha, finding, isObserved }: Refusal): void {
    if (!this.#isNews(sha)) return;
    const { rule, line, column, sourceLine, advice, text } = finding;
    this.#log.warn(
      { sha, rule, line, column, source: sourceLine, advice, error: text },
      isObserved ? 'script would be refused' : 'script refused',
    );
  }

  onNotAnalysed(sha: Sha, reason: string): void {
    if (!this.#isNews(sha)) return;
    this.#log.info({ sha, reason }, 'script is not analysed: forwarded as it is');
  }

  #isNews(sha: Sha): boolean {
    const nowMs = this.#now();
    const toldMs = this.#toldAtMs.get(sha);
    if (toldMs !== undefined && nowMs - toldMs < QUIET_MS) return false;
    if (!this.#hasRoom(nowMs)) return false;
    this.#toldAtMs.set(sha, nowMs);
    return true;
  }

  /** Counts a line in the minute that runs; what the minute before had no room for is told at its end. */
  #hasRoom(nowMs: number): boolean {
    if (nowMs - this.#minuteSinceMs >= QUIET_MS) {
      if (this.#untold > 0) this.#log.warn({ scripts: this.#untold }, 'more scripts were refused or not analysed');
      for (const [sha, toldMs] of this.#toldAtMs) if (nowMs - toldMs >= QUIET_MS) this.#toldAtMs.delete(sha);
      this.#minuteSinceMs = nowMs;
      this.#lines = 0;
      this.#untold = 0;
    }
    if (this.#lines < MAX_LINES) this.#lines++;
    else this.#untold++;
    return this.#untold === 0;
  }
}
