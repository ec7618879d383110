/**
 * Counts the bytes of all buffers that are made meanwhile, as a measure of work and memory that needs no clock.
 */
import type { TestContext } from 'node:test';

export interface Allocations {
  /** Bytes of all buffers made since. */
  readonly total: number;
  /** The largest single one. */
  readonly largest: number;
}

/** From now until the test ends, counts what `Buffer.from`, `concat`, `alloc` and its unsafe forms make. */
export function countAllocations(t: TestContext): Allocations {
  const counted = { total: 0, largest: 0 };
  let depth = 0;
  for (const name of ['from', 'concat', 'alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
    const original = Buffer[name] as (...args: unknown[]) => Buffer;
    t.mock.method(Buffer, name, (...args: unknown[]) => {
      depth++;
      const made = original.apply(Buffer, args);
      depth--;
      if (depth === 0) {
        counted.total += made.length;
        counted.largest = Math.max(counted.largest, made.length);
      }
      return made;
    });
  }
  return counted;
}
