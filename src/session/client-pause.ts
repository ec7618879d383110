/**
 * CLIENT PAUSE: until a deadline, requests are not dispatched: all of them, or those that may write. CLIENT itself is
 * never held, so that UNPAUSE ends a pause of all.
 *
 * A client that is held waits with everything behind the held request; what was sent before goes on. Asked for every
 * request, so the common answer is one comparison.
 */
import type { Command } from '../command/table.ts';

export type PauseKind = 'write' | 'all';

/** Commands that are not flagged as writes, but may write or be replicated (CMD_MAY_REPLICATE in Redis's server.c). */
const MAY_REPLICATE = new Set(['eval', 'evalsha', 'fcall', 'publish', 'spublish', 'pfcount', 'exec']);
/** A timer cannot be set for longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class ClientPause {
  #kind: PauseKind | undefined;
  #untilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #onEnd: () => void;

  /** `onEnd` wakes whoever was held. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** A pause that is in force is only ever made longer, and wider, as in Redis. */
  begin(kind: PauseKind, timeoutMs: number): void {
    const untilMs = performance.now() + timeoutMs;
    this.#kind = this.#kind === 'all' ? 'all' : kind;
    this.#untilMs = Math.max(this.#untilMs, untilMs);
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const leftMs = Math.ceil(this.#untilMs - performance.now());
    if (leftMs <= 0) return this.end();
    this.#timer = setTimeout(() => this.#arm(), Math.min(leftMs, MAX_TIMER_MS));
    this.#timer.unref();
  }

  /** Ends the pause, if there is one. */
  end(): void {
    clearTimeout(this.#timer);
    this.#untilMs = 0;
    if (this.#kind === undefined) return;
    this.#kind = undefined;
    this.#onEnd();
  }

  /** Whether a request has to wait; undefined is a command that nobody knows. */
  holds(command: Command | undefined): boolean {
    return this.#kind !== undefined && this.#isHeld(command);
  }

  #isHeld(command: Command | undefined): boolean {
    const name = command?.name ?? '';
    if (name === 'client' || name.startsWith('client|')) return false;
    return this.#kind === 'all' || command?.isWrite === true || MAY_REPLICATE.has(name);
  }
}
