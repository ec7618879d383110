/**
 * The switches that planning goes by, frozen; a reload makes a new one.
 */
import type { CheckPolicy } from '../lua/rule.ts';

/** What goes to replicas. */
export interface ReplicaReads {
  /** Commands and functions that only read. */
  readonly commands: boolean;
  /** EVAL and EVALSHA of scripts that the Lua checks proved to only read. */
  readonly provenScripts: boolean;
}

export interface Policy {
  /** Scripts without keys: refused, or sent to a master, the same one for the same script. */
  readonly keylessScripts: 'reject' | 'route';
  /** The Lua checks: not at all, refuse, or forward and tell. */
  readonly checks: 'off' | 'refuse' | 'observe';
  readonly checkPolicy: CheckPolicy;
  /** Shas, in lower case, of scripts that are never checked. */
  readonly exempt: ReadonlySet<string>;
  /** Without it: nothing. EVAL_RO and EVALSHA_RO go to replicas in any other case. */
  readonly replicaReads?: ReplicaReads | undefined;
}
