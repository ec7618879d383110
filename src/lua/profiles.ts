/** Which rules each profile has, in the order in which they answer for one call site. */
import type { CheckPolicy, Rule } from './rule.ts';
import { incomplete } from './rules/incomplete.ts';
import { keysArray } from './rules/keys-array.ts';
import { literal } from './rules/literal.ts';
import { nested } from './rules/nested.ts';
import { parentheses } from './rules/parentheses.ts';
import { readOnlyScript } from './rules/read-only-script.ts';
import { sort } from './rules/sort.ts';
import { unknownCommand } from './rules/unknown-command.ts';
import { unpack } from './rules/unpack.ts';
import { writePrivilege } from './rules/write-privilege.ts';
import { xread } from './rules/xread.ts';
import { zstore } from './rules/zstore.ts';

/** All rules. Of one call site the first that is broken answers. */
export const RULES: readonly Rule[] = [
  parentheses,
  incomplete,
  nested,
  literal,
  unknownCommand,
  writePrivilege,
  readOnlyScript,
  zstore,
  xread,
  sort,
  keysArray,
  unpack,
];

const TAIR: readonly Rule[] = [parentheses, incomplete, nested, literal, unknownCommand, unpack];

const PROFILES: Readonly<Record<CheckPolicy['profile'], readonly Rule[]>> = {
  tair: TAIR,
  tair_legacy: [...TAIR, zstore, xread, sort, keysArray],
  safe: [unknownCommand],
};

/** The rules that every call of a script under this profile must pass. */
export function rulesOf(profile: CheckPolicy['profile']): readonly Rule[] {
  return PROFILES[profile];
}
