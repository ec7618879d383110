/**
 * The switches that planning goes by, frozen; a reload makes a new one.
 */
export interface Policy {
  /** Scripts without keys: refused, or sent to a master, the same one for the same script. */
  readonly keylessScripts: 'reject' | 'route';
}
