/**
 * Waiting for what a subscriber is told: event emitters and callbacks give it in their own time.
 */
import { type EventEmitter, once } from 'node:events';

/** The arguments of the next event; fails after ten seconds instead of waiting for ever. */
export async function next(emitter: Pick<EventEmitter, 'once'>, event: string): Promise<unknown[]> {
  return await once(emitter as EventEmitter, event, { signal: AbortSignal.timeout(10_000) });
}
