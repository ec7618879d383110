import { LEGACY } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const DESTINATION =
  'all the keys that the script uses should be passed using the KEYS array, include destination, and KEYS should not be in expression';
const LITERAL = 'ZUNIONSTORE/ZINTERSTORE numkeys parameter should be a single number and not expression';
const INTEGER = 'ZUNIONSTORE/ZINTERSTORE numkeys value is not an integer or out of range';
const NO_KEYS = 'at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE';
const FEW_KEYS = 'ZUNIONSTORE/ZINTERSTORE key count < numkeys';
const SOURCES = 'ZUNIONSTORE/ZINTERSTORE all the keys that the script uses should be passed using the KEYS array';

testRule('rule zstore (R9)', {
  policy: LEGACY,
  valid: [
    "redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3])",
    "redis.call('zinterstore', KEYS[1], '2', KEYS[2], KEYS[3], 'WEIGHTS', ARGV[1], 2)",
  ],
  invalid: [
    ["redis.call('ZUNIONSTORE')", DESTINATION],
    ["redis.call('ZUNIONSTORE', 'x', 1, KEYS[1])", DESTINATION],
    ["redis.call('ZINTERSTORE', KEYS[1] .. 'x', 'x', KEYS[1])", DESTINATION],
    ["redis.call('ZUNIONSTORE', KEYS[1])", LITERAL],
    ["redis.call('ZUNIONSTORE', KEYS[1], #KEYS, KEYS[2])", LITERAL],
    ["redis.call('ZUNIONSTORE', KEYS[1], 1 + 1, KEYS[2])", LITERAL],
    ["redis.call('ZUNIONSTORE', KEYS[1], -x, KEYS[2])", LITERAL],
    ["redis.call('ZUNIONSTORE', KEYS[1], 'a', KEYS[2])", INTEGER],
    ["redis.call('ZUNIONSTORE', KEYS[1], 1.5, KEYS[2])", INTEGER],
    ["redis.call('ZUNIONSTORE', KEYS[1], '9999999999999999999', KEYS[2])", INTEGER],
    ["redis.call('ZUNIONSTORE', KEYS[1], 0, KEYS[2])", NO_KEYS],
    ["redis.call('ZUNIONSTORE', KEYS[1], -1, KEYS[2])", NO_KEYS],
    ["redis.call('ZUNIONSTORE', KEYS[1], '-1', KEYS[2])", NO_KEYS],
    ["redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2])", FEW_KEYS],
    ["redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], ARGV[1])", SOURCES],
    ["redis.call('ZUNIONSTORE', KEYS[1], 1, k)", SOURCES],
  ],
});
