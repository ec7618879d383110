import { LEGACY } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const KEYS_ARRAY = 'all the keys that the script uses should be passed using the KEYS array';

testRule('rule keys-array (R8)', {
  policy: LEGACY,
  valid: [
    // The page's own.
    "return redis.call('mget', KEYS[1], KEYS[2])",
    "return redis.call('get', KEYS[1])",
    "KEYS[1] = 'x' return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], KEYS[#KEYS] .. ARGV[1])",
    "return redis.call('mset', KEYS[1], 'a', KEYS[2], 'b')",
    "return redis.call('object', 'encoding', KEYS[1])",
    "return redis.call('publish', KEYS[1], 'x')",
    "return redis.call('time')",
    "return redis.call('zdiffstore', KEYS[1], 2, KEYS[2], KEYS[3])",
    "return redis.call('georadius', KEYS[1], 1, 2, 3, 'm', 'STORE', KEYS[2])",
  ],
  invalid: [
    ["return redis.call('mget', KEYS[1], '{foo}bar')", KEYS_ARRAY],
    ["local i = 2 return redis.call('mget', KEYS[1], KEYS[i])", KEYS_ARRAY],
    ["return redis.call('mget', KEYS[1], ARGV[1])", KEYS_ARRAY],
    ["return redis.call('get', 'foo')", KEYS_ARRAY],
    ["local k = KEYS[1] return redis.call('get', k)", KEYS_ARRAY],
    ["return redis.call('get', KEYS[1] .. ':1')", KEYS_ARRAY],
    ["return redis.call('get', KEYS[#KEYS])", KEYS_ARRAY],
    ["return redis.call('get', KEYS[1 + 1])", KEYS_ARRAY],
    ["return redis.call('get', KEYS['1'])", KEYS_ARRAY],
    ["return redis.call('mset', KEYS[1], 'a', 'b', KEYS[2])", KEYS_ARRAY],
    ["return redis.call('publish', 'channel', 'x')", KEYS_ARRAY],
    ["return redis.call('spublish', 'channel', 'x')", KEYS_ARRAY],
    ["return redis.call('object', 'encoding', 'x')", KEYS_ARRAY],
    ["return redis.call('zdiffstore', KEYS[1], 2, KEYS[2], 'x')", KEYS_ARRAY],
    // An element that unpack gives is no KEYS[n]; of one site this rule answers before unpack's place.
    ["return redis.call('del', unpack(KEYS))", KEYS_ARRAY],
  ],
});
