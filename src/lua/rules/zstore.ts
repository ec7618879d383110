/** R9: ZUNIONSTORE and ZINTERSTORE, whose key count must be there to read. */
import { LUA } from '../../resp/errors.ts';
import type { Expression } from '../ast.ts';
import { integerOf, isKeysElement } from '../call-site.ts';
import { type LegacyRule, legacyRule } from '../legacy-rule.ts';

const ADVICE = "write redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3]), numbers and indexes as they are";

export const zstore: LegacyRule = legacyRule(
  {
    id: 'zstore',
    commands: ['zunionstore', 'zinterstore'],
    texts: [
      LUA.zstoreKeys,
      LUA.zstoreNumkeysLiteral,
      LUA.zstoreNumkeysInteger,
      LUA.zstoreNoKeys,
      LUA.zstoreFewKeys,
      LUA.zstoreSourceKeys,
    ],
    advice: ADVICE,
  },
  ({ args }) => {
    const [, destination, numkeys, ...sources] = args;
    if (!isKeysElement(destination)) return LUA.zstoreKeys;
    if (!isLiteralNumber(numkeys)) return LUA.zstoreNumkeysLiteral;
    const count = integerOf(numkeys);
    if (Number.isNaN(count)) return LUA.zstoreNumkeysInteger;
    if (count < 1) return LUA.zstoreNoKeys;
    if (sources.length < count) return LUA.zstoreFewKeys;
    return sources.slice(0, count).every(isKeysElement) ? undefined : LUA.zstoreSourceKeys;
  },
);

/** `2`, `'2'` or `-1`, whatever the number is. */
function isLiteralNumber(expression: Expression | undefined): boolean {
  const number =
    expression?.type === 'UnaryExpression' && expression.operator === '-' ? expression.argument : expression;
  return number?.type === 'NumericLiteral' || expression?.type === 'StringLiteral';
}
