import { TAIR } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const INCOMPLETE = "redis.call/redis.pcall definition is not complete, expect ')'";

testRule('rule incomplete (R5)', {
  policy: TAIR,
  valid: [
    // Closed, yet no Lua: the node's to report.
    "redis.call('GET', KEYS[1]) )",
    "redis.call('GET' KEYS[1])",
    "f(redis.call('GET', KEYS[1])",
    "-- redis.call('GET'\nreturn return",
    "x = 'redis.call(' = 1",
    'x = [==[ redis.call( ]==] = 1',
  ],
  invalid: [
    ["redis.call('GET', KEYS[1]", INCOMPLETE],
    ["return redis.pcall('GET', (KEYS[1])", INCOMPLETE],
    ["redis.call('GET", INCOMPLETE],
    ["redis.call('GET', --)\n", INCOMPLETE],
    ["redis.call('GET', [[)", INCOMPLETE],
    ['redis.call(', INCOMPLETE],
    ["a = b .. redis.call('GET', KEYS[1]", INCOMPLETE],
    // The first in the source answers.
    ["redis.call('GET', KEYS[1]  redis.call 'x'", INCOMPLETE],
    ["redis.call 'x' redis.call('GET', KEYS[1]", "redis.call/pcall expect '('"],
  ],
});
