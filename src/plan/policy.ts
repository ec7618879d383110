/**
 * The switches that planning goes by, frozen; a reload makes a new one.
 */
import type { CheckPolicy } from '../lua/rule.ts';

export interface Policy {
  /** Scripts without keys: refused, or sent to a master, the same one for the same script. */
  readonly keylessScripts: 'reject' | 'route';
  /** The Lua checks: not at all, refuse, or forward and tell. */
  readonly checks: 'off' | 'refuse' | 'observe';
  readonly checkPolicy: CheckPolicy;
  /** Shas, in lower case, of scripts that are never checked. */
  readonly exempt: ReadonlySet<string>;
}
