/**
 * The request of a session that was dispatched before its time: it comes again, before all others, when what it waits
 * for has come.
 */
import type { Request } from '../resp/request.ts';

/** A store is asked for its script; clients are paused; something of the session is in flight (C3d). */
export type Until = 'looked_up' | 'unpaused' | 'idle';

export class HeldRequest {
  /** Nothing at all goes until nothing is in flight. */
  mustSettle = false;
  #request: Request | undefined;
  #until: Until | undefined;

  get bytes(): number {
    return this.#request?.end ?? 0;
  }

  get isHolding(): boolean {
    return this.#request !== undefined;
  }

  get isPaused(): boolean {
    return this.#until === 'unpaused';
  }

  /** The request is kept, so it must be a copy. */
  hold(request: Request, until: Until): void {
    this.#request = request;
    this.#until = until;
  }

  /** What it waited for has come. */
  release(until: Until): void {
    if (this.#until === until) this.#until = undefined;
  }

  /** Whether something waits that may not go yet. */
  isWaiting(inFlightCount: number): boolean {
    if (inFlightCount === 0) this.mustSettle = false;
    if (this.mustSettle) return true;
    return this.#until !== undefined && (this.#until !== 'idle' || inFlightCount > 0);
  }

  /** The request, if there is one, whose turn it is now. */
  take(): Request | undefined {
    const request = this.#request;
    if (request === undefined) return undefined;
    this.#request = undefined;
    this.#until = undefined;
    return request;
  }
}
