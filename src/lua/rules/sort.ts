/** R11: SORT and SORT_RO, whose options decide where the second key stands. */
import { LUA } from '../../resp/errors.ts';
import type { Expression } from '../ast.ts';
import { isKeysElement } from '../call-site.ts';
import { type LegacyRule, legacyRule } from '../legacy-rule.ts';
import { stringOf } from '../string-literal.ts';

const ADVICE = "write redis.call('SORT', KEYS[1], 'STORE', KEYS[2]), options as literals, each with its arguments";

/** How many arguments an option takes (sortCommandGeneric in Redis's sort.c). */
const OPTION_ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ['asc', 0],
  ['desc', 0],
  ['alpha', 0],
  ['limit', 2],
  ['store', 1],
  ['by', 1],
  ['get', 1],
]);

export const sort: LegacyRule = legacyRule(
  { id: 'sort', commands: ['sort', 'sort_ro'], texts: [LUA.sortSyntax, LUA.sortKeys], advice: ADVICE },
  ({ args, command }) => {
    const [, key, ...options] = args;
    if (key === undefined) return LUA.sortSyntax;
    const targets = storeTargets(options, command?.name === 'sort');
    if (targets === undefined) return LUA.sortSyntax;
    return [key, ...targets].every(isKeysElement) ? undefined : LUA.sortKeys;
  },
);

/** The arguments of STORE; undefined when the options make no sense. What is no literal is taken as it is. */
function storeTargets(options: readonly Expression[], mayStore: boolean): Expression[] | undefined {
  const targets: Expression[] = [];
  for (let i = 0; i < options.length; i++) {
    const option = stringOf(options[i])?.toLowerCase();
    if (option === undefined) continue;
    const count = OPTION_ARGUMENTS.get(option);
    if (count === undefined || i + count >= options.length || (option === 'store' && !mayStore)) return undefined;
    if (option === 'store') targets.push(...options.slice(i + 1, i + 2));
    i += count;
  }
  return targets;
}
