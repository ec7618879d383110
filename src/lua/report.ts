/** What the checks found out about a script: an immutable value, kept with the body and read at every call. */
import type { Conditions } from './conditions.ts';

/** One place where a script breaks a rule, for logs and the linter. */
export interface Finding {
  /** Id of the rule (docs/rules.md). */
  readonly rule: string;
  readonly severity: 'error' | 'warning' | 'note';
  /** As it goes over the wire; for a note, what it would be if it were refused. */
  readonly text: string;
  readonly line: number;
  /** In bytes, from 1. */
  readonly column: number;
  /** The line of the script, cut to 120 characters. */
  readonly sourceLine: string;
  /** What to change. */
  readonly advice: string;
}

export interface Report {
  /** What refuses the script, in the order in which it answers. */
  readonly findings: readonly Finding[];
  /** Text of the first finding: the answer to every EVAL, EVALSHA and SCRIPT LOAD of the script. */
  readonly refusal: string | undefined;
  /** What refuses EVAL_RO and EVALSHA_RO of it (R12b). */
  readonly refusalReadOnlyScript: Finding | undefined;
  /** What refuses it to a read-only account (R12a). */
  readonly refusalReadOnlyAccount: Finding | undefined;
  /** R12a alone, which holds with the checks switched off too. */
  readonly writesWithoutPrivilege: boolean;
  /** Proven to only read, fit for a replica (R12c). */
  readonly isReadOnly: boolean;
  /** Commands may run that nobody can tell: to be sent as EVAL_RO for a read-only account. */
  readonly isOpaque: boolean;
  /** Why nothing is known of the script, so that it is forwarded as it is. */
  readonly notAnalysed: string | undefined;
  /** Profile `safe`: what is known of its keys whatever the call. */
  readonly keys: 'proven' | 'unproven';
  /** Profile `safe`: what must be judged at each call (judge-call.ts); undefined when there is nothing. */
  readonly conditions: Conditions | undefined;
  /** Profile `safe`, for people: keys that some calls may get wrong, in source order. */
  readonly hints: readonly Finding[];
}
