import { TAIR } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const LITERAL = 'first parameter of redis.call/pcall must be a single literal string';

testRule('rule literal (R4)', {
  policy: TAIR,
  valid: [
    "redis.call('GET', KEYS[1])",
    'redis.call("get", KEYS[1])',
    'redis.call([[GET]], KEYS[1])',
    'redis.call([==[GET]==], KEYS[1])',
    "redis.call('\\71ET', KEYS[1])",
    "redis.call(('GET'), KEYS[1])",
  ],
  invalid: [
    // The page's own.
    ["local cmd = 'GET'; redis.call(cmd, KEYS[1])", LITERAL],
    ['redis.call(ARGV[1], KEYS[1])', LITERAL],
    ["redis.call('GE' .. 'T', KEYS[1])", LITERAL],
    ["redis.call(x and 'GET' or 'SET', KEYS[1])", LITERAL],
    ['redis.call(unpack(ARGV))', LITERAL],
    ['redis.call(1, KEYS[1])', LITERAL],
    ['redis.call(nil)', LITERAL],
    ['redis.call()', LITERAL],
    ["redis.call({'GET', KEYS[1]})", LITERAL],
  ],
});
