import { LEGACY } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const SYNTAX = 'xread/xreadgroup command syntax error';
const NO_STREAMS = 'xread/xreadgroup command syntax error, streams must be specified';
const STREAM_KEYS = 'XREAD/XREADGROUP all the keys that the script uses should be passed using the KEYS array';

testRule('rule xread (R10)', {
  policy: LEGACY,
  valid: [
    "redis.call('XREAD', 'STREAMS', KEYS[1], '0')",
    "redis.call('XREAD', 'COUNT', ARGV[1], 'streams', KEYS[1], KEYS[2], '0', '0')",
    "redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', KEYS[1], '>')",
  ],
  invalid: [
    ["redis.call('XREAD', 'STREAMS', KEYS[1])", SYNTAX],
    ["redis.call('XREAD')", SYNTAX],
    ["redis.call('XREADGROUP', 'GROUP', 'g', 'STREAMS', KEYS[1], '>')", SYNTAX],
    ["redis.call('XREAD', 'STREAMS', KEYS[1], KEYS[2], '0')", SYNTAX],
    ["redis.call('XREAD', 'COUNT', '1', 'STREAMS')", SYNTAX],
    ["redis.call('XREAD', ARGV[1], KEYS[1], '0')", NO_STREAMS],
    ["redis.call('XREAD', 'STREAMS', 'x', '0')", STREAM_KEYS],
    ["redis.call('XREAD', 'STREAMS', KEYS[1], ARGV[1], '0', '0')", STREAM_KEYS],
  ],
});
