/**
 * Tells people about refused scripts: sha, rule, place, the line itself and what to change; once per sha and minute,
 * because a refused script usually comes again at once. The wire text stays what it is.
 */
import type { Logger } from 'pino';
import type { CheckEvents, Refusal } from '../plan/script-checks.ts';
import type { Sha } from '../script/sha.ts';

const QUIET_MS = 60_000;
/** Shas that are remembered as told; beyond that the oldest is told again. */
const MAX_TOLD = 10_000;

export class RefusalLog implements CheckEvents {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #toldAtMs = new Map<Sha, number>();

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
    this.#log.info({ sha, reason }, 'script is not analysed: forwarded as it is');
  }

  #isNews(sha: Sha): boolean {
    const nowMs = this.#now();
    const toldMs = this.#toldAtMs.get(sha);
    if (toldMs !== undefined && nowMs - toldMs < QUIET_MS) return false;
    this.#toldAtMs.delete(sha);
    this.#toldAtMs.set(sha, nowMs);
    if (this.#toldAtMs.size > MAX_TOLD) {
      const [oldest] = this.#toldAtMs.keys();
      if (oldest !== undefined) this.#toldAtMs.delete(oldest);
    }
    return true;
  }
}
