/**
 * The slow log of evalgate: requests that a node took long for, as seen from here, the last LIMIT of them. Shown by
 * SLOWLOG (slowlog-command.ts) and by the admin port.
 *
 * Counted is the time in which a request was the next to be answered on its connection: one that only stood behind a
 * slow one is not slow.
 */
import { LastOnes } from '../base/last-ones.ts';
import { type Numbering, numberOf } from '../base/numbering.ts';

/** From how many milliseconds on a request is slow: Redis's default for slowlog-log-slower-than. */
export const SLOW_MS = 10;
const LIMIT = 128;

export interface SlowRequest {
  readonly id: number;
  readonly unixMs: number;
  readonly durationUs: number;
  /** Cut and redacted (slow-args.ts). */
  readonly args: readonly Buffer[];
  readonly clientId: number;
  readonly clientAddress: string;
  readonly clientName: Buffer | undefined;
  /** `host:port` of the node. */
  readonly node: string;
  /** The script that was called, when evalgate knows it. */
  readonly sha: string | undefined;
}

/** Those of several logs, the newest first. */
export function newestOf(logs: readonly (readonly SlowRequest[])[]): readonly SlowRequest[] {
  const [only] = logs;
  if (only !== undefined && logs.length === 1) return only;
  return logs.flat().sort((a, b) => b.unixMs - a.unixMs || b.id - a.id);
}

export class SlowLog {
  readonly #requests = new LastOnes<SlowRequest>(LIMIT);
  readonly #numbering: Numbering;
  /** Slow requests since the start, those that are no longer held included. */
  total = 0;

  constructor(numbering: Numbering) {
    this.#numbering = numbering;
  }

  get length(): number {
    return this.#requests.length;
  }

  /** Takes in a request; ids grow. */
  add(request: Omit<SlowRequest, 'id'>): SlowRequest {
    const entry = { id: numberOf(this.total++, this.#numbering), ...request };
    this.#requests.push(entry);
    return entry;
  }

  /** The newest first. */
  newest(count?: number): SlowRequest[] {
    return this.#requests.newest(count);
  }

  reset(): void {
    this.#requests.clear();
  }
}
