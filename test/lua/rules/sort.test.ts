import { LEGACY } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const SYNTAX = 'sort command syntax error';
const SORT_KEYS =
  'all the keys that the script uses should be passed using the KEYS array, and KEYS should not be in expression, sort command store key does not meet the requirements';

testRule('rule sort (R11)', {
  policy: LEGACY,
  valid: [
    "redis.call('SORT', KEYS[1])",
    "redis.call('SORT', KEYS[1], 'LIMIT', 0, 10, 'GET', '#', 'asc', 'ALPHA', 'BY', 'x*', 'STORE', KEYS[2])",
    "redis.call('SORT_RO', KEYS[1], 'DESC')",
    "redis.call('SORT', KEYS[1], ARGV[1])",
    // STORE as the argument of GET is none.
    "redis.call('SORT', KEYS[1], 'GET', 'STORE')",
  ],
  invalid: [
    ["redis.call('SORT')", SYNTAX],
    ["redis.call('SORT', KEYS[1], 'LIMIT', 1)", SYNTAX],
    ["redis.call('SORT', KEYS[1], 'BY')", SYNTAX],
    ["redis.call('SORT', KEYS[1], 'GET')", SYNTAX],
    ["redis.call('SORT', KEYS[1], 'STORE')", SYNTAX],
    ["redis.call('SORT', KEYS[1], 'UPWARDS')", SYNTAX],
    ["redis.call('SORT_RO', KEYS[1], 'STORE', KEYS[2])", SYNTAX],
    ["redis.call('SORT', 'x')", SORT_KEYS],
    ["redis.call('SORT', KEYS[1], 'STORE', 'x')", SORT_KEYS],
    ["redis.call('SORT', KEYS[1], 'STORE', KEYS[2] .. 'x')", SORT_KEYS],
    ["redis.call('SORT_RO', ARGV[1])", SORT_KEYS],
  ],
});
