/**
 * What will become of a transaction at EXEC because of what happened before: it may run, a command that was refused
 * aborts it, or what was watched is lost and it answers null.
 */
import { EMPTY_ARRAY, encodeNullArray, OK, type Protocol } from '../resp/encode.ts';
import { errorLine, REDIS } from '../resp/errors.ts';

export const ABORTED = errorLine(REDIS.execAbort);

export class Fate {
  watch: 'none' | 'held' | 'broken' = 'none';
  /** What EXEC will answer; undefined: it may run. */
  #abort: Buffer | undefined;

  get mayRun(): boolean {
    return this.#abort === undefined && this.watch !== 'broken';
  }

  /** The first reason is the one that EXEC tells. */
  spoil(reply: Buffer = ABORTED): void {
    this.#abort ??= reply;
  }

  breakWatch(): void {
    if (this.watch === 'held') this.watch = 'broken';
  }

  /** The reply to EXEC or DISCARD when no EXEC goes up. */
  replyTo(action: 'exec' | 'discard', protocol: Protocol): Buffer {
    if (action === 'discard') return OK;
    if (this.#abort !== undefined) return this.#abort;
    return this.watch === 'broken' ? encodeNullArray(protocol) : EMPTY_ARRAY;
  }

  clear(): void {
    this.watch = 'none';
    this.#abort = undefined;
  }
}
