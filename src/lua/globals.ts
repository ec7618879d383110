/** Global names that the checks know. */

/** The API table: `server` is Valkey's name for it. */
export const REDIS_GLOBALS: ReadonlySet<string> = new Set(['redis', 'server']);

/** Globals that reach `redis` by another name, or run text as code. */
export const OPAQUE_GLOBALS: ReadonlySet<string> = new Set(
  '_G debug dofile getfenv load loadfile loadstring module package rawget require setfenv'.split(' '),
);
