/**
 * What profile `safe` keeps of a script for its calls: for every key that could leave the call's slot, the strings that
 * it may be. A condition is only about what a call makes known (KEYS and ARGV): what is right or unknown whatever the
 * call is counted once, when the script is checked.
 */
import type { CommandTable } from '../command/table.ts';
import type { Finding } from './report.ts';
import type { Template } from './values/template.ts';

/** Some key of a command is one of these strings. */
export interface KeyCondition {
  readonly kind: 'key';
  readonly templates: readonly Template[];
  /** False when some of the strings may be no keys at all: then only a proof counts. */
  readonly canRefuse: boolean;
  /** What the refusal of a call would be. */
  readonly finding: Finding;
}

/** A command whose name or arguments are in ARGV: which arguments are its keys is found at the call. */
export interface CommandCondition {
  readonly kind: 'command';
  /** The name, when it is a literal; else it is the first argument, or the first of ARGV that follows. */
  readonly name: Buffer | undefined;
  /** What each argument may be, the command's name first where it is one of them. */
  readonly args: readonly (readonly Template[])[];
  /** All elements of ARGV from this one on follow the arguments. */
  readonly argvFrom: number | undefined;
  readonly finding: Finding;
}

export type Condition = KeyCondition | CommandCondition;

export interface Conditions {
  /** In source order. */
  readonly list: readonly Condition[];
  /** Every other key of the script is proven. */
  readonly isRestProven: boolean;
  readonly table: CommandTable;
}
