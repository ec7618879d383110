/**
 * Makes costly answers one at a time and never closer together than so many milliseconds, however many ask. Who asks
 * waits for the next making of the same thing and gets what was true after he asked: nothing is kept from before.
 *
 *     ask a ─┐
 *     ask b ─┤ waiting ─▶ [a] ── ms ──▶ [b] ── ms ──▶ …
 *     ask a ─┘ the same a
 */

interface Waiting<T> {
  readonly answer: Promise<T>;
  readonly start: () => void;
}

/** Like `make`, spaced; requests with the same key share an answer when it was not begun yet. */
export function spaced<Q, T>(ms: number, make: (query: Q) => T | Promise<T>): (key: string, query: Q) => Promise<T> {
  const waiting = new Map<string, Waiting<T>>();
  let nextAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const arm = (): void => {
    if (timer !== undefined || waiting.size === 0) return;
    timer = setTimeout(startNext, Math.max(0, nextAtMs - performance.now()));
  };
  const startNext = (): void => {
    timer = undefined;
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next[0]);
      next[1].start();
      nextAtMs = performance.now() + ms;
    }
    arm();
  };
  return (key, query) => {
    const known = waiting.get(key);
    if (known !== undefined) return known.answer;
    let start = (): void => {};
    const answer = new Promise<void>((resolve) => {
      start = resolve;
    }).then(() => make(query));
    waiting.set(key, { answer, start });
    arm();
    return answer;
  };
}
