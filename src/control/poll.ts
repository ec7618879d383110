/** Waits for a state that nobody announces, by asking again and again; used for servers that start and clusters that form. */
import { setTimeout as pause } from 'node:timers/promises';

export interface PollOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

/** Resolves to true once `isDone` says so, to false when the time is over. What `isDone` throws ends the wait. */
export async function pollUntil(isDone: () => Promise<boolean> | boolean, options: PollOptions): Promise<boolean> {
  const deadline = Date.now() + options.timeoutMs;
  while (!(await isDone())) {
    if (Date.now() >= deadline) return false;
    await pause(options.everyMs ?? 25);
  }
  return true;
}
