/** What became of scripts that outlive the process: plain counters. */
export class StoreCounters {
  /** Operations that the store did not do, or not in time. */
  failures = 0;
  lookUps = 0;
  found = 0;
  saved = 0;
  /** Entries that had vanished from the store and were written back. */
  writtenBack = 0;
  damaged = 0;
  /** Flushes by others. */
  flushesHeard = 0;
  /** Scripts of EVAL origin that were not written because too many were. */
  notSaved = 0;
}
