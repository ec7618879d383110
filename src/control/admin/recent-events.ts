/**
 * The last LIMIT things that somebody on call would want to have seen: refused scripts, healed NOSCRIPTs, slow scripts.
 * What happens again within a minute is counted on the entry that is there, so that one script cannot push all others
 * out; refusals are counted by rule besides.
 */
import { LastOnes } from '../../base/last-ones.ts';
import { ALONE, type Numbering, numberOf } from '../../base/numbering.ts';
import type { CheckEvents, Refusal } from '../../plan/script-checks.ts';
import type { Script } from '../../script/script.ts';
import type { Sha } from '../../script/sha.ts';
import type { SlowRequest } from '../../session/slow-log.ts';
import type { TrafficEvents } from '../../session/statistics.ts';

const LIMIT = 200;
const SAME_FOR_MS = 60_000;

export interface RecentEvent {
  /** Grows from one to the next. */
  readonly id: number;
  readonly kind: 'refused' | 'observed' | 'not_analysed' | 'healed' | 'slow_script';
  readonly sha: string;
  readonly firstUnixMs: number;
  lastUnixMs: number;
  /** How often, between these two. */
  count: number;
  /** For slow scripts: the longest. */
  ms?: number;
  readonly node?: string;
  readonly rule?: string;
  readonly line?: number;
  /** The line of the script. */
  readonly source?: string;
  /** What the client was told, or why the script is not analysed. */
  readonly text?: string;
}

export interface RefusalCount {
  refused: number;
  /** Would have been, but the mode is `observe`. */
  observed: number;
}

type Details = Pick<RecentEvent, 'node' | 'rule' | 'line' | 'source' | 'text'>;

export class RecentEvents implements CheckEvents, TrafficEvents {
  /** Calls by the rule that refused them; there are as many as rules. */
  readonly refusals = new Map<string, RefusalCount>();
  readonly #next: CheckEvents;
  readonly #numbering: Numbering;
  readonly #now: () => number;
  readonly #events = new LastOnes<RecentEvent>(LIMIT);
  readonly #byKey = new Map<string, RecentEvent>();
  #lastNumber = 0;

  /** `next` hears of the Lua checks too: the log. */
  constructor(next: CheckEvents, numbering = ALONE, now: () => number = Date.now) {
    this.#next = next;
    this.#numbering = numbering;
    this.#now = now;
  }

  /** The newest first. */
  newest(count?: number): RecentEvent[] {
    return this.#events.newest(count);
  }

  onRefusal(refusal: Refusal): void {
    const { sha, finding, isObserved } = refusal;
    const { rule, line, sourceLine, text } = finding;
    const count = this.refusals.get(rule) ?? { refused: 0, observed: 0 };
    this.refusals.set(rule, count);
    if (isObserved) count.observed++;
    else count.refused++;
    this.#note(isObserved ? 'observed' : 'refused', sha, { rule, line, source: sourceLine, text });
    this.#next.onRefusal(refusal);
  }

  onNotAnalysed(sha: Sha, reason: string): void {
    this.#note('not_analysed', sha, { text: reason });
    this.#next.onNotAnalysed(sha, reason);
  }

  onHealed({ sha }: Script, node: string): void {
    this.#note('healed', sha, { node });
  }

  onSlow({ sha, node, durationUs }: SlowRequest): void {
    if (sha === undefined) return;
    const event = this.#note('slow_script', sha, { node });
    event.ms = Math.max(event.ms ?? 0, durationUs / 1000);
  }

  #note(kind: RecentEvent['kind'], sha: string, details: Details): RecentEvent {
    const nowMs = this.#now();
    const key = keyOf(kind, sha, details);
    const known = this.#byKey.get(key);
    if (known !== undefined && nowMs - known.firstUnixMs < SAME_FOR_MS) {
      known.count++;
      known.lastUnixMs = nowMs;
      return known;
    }
    const event = {
      id: numberOf(++this.#lastNumber, this.#numbering),
      kind,
      sha,
      firstUnixMs: nowMs,
      lastUnixMs: nowMs,
      count: 1,
      ...details,
    };
    this.#byKey.set(key, event);
    const gone = this.#events.push(event);
    if (gone !== undefined) this.#forget(gone);
    return event;
  }

  /** Unless a newer one took its place. */
  #forget(gone: RecentEvent): void {
    const key = keyOf(gone.kind, gone.sha, gone);
    if (this.#byKey.get(key) === gone) this.#byKey.delete(key);
  }
}

function keyOf(kind: string, sha: string, { rule, node }: Details): string {
  return `${kind} ${sha} ${rule ?? node ?? ''}`;
}
