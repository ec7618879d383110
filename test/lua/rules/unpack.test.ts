import { TAIR } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const UNPACK = 'unpack is not supported';

testRule('rule unpack (R7)', {
  policy: TAIR,
  valid: [
    'local unpack = f return unpack(t)',
    'local function g(unpack) return unpack(t) end',
    'return cmsgpack.unpack(x)',
    "return struct.unpack('>I', x)",
    'local table = {} return table.unpack(t)',
    'local u = unpack',
    "return 'unpack(x)'",
  ],
  invalid: [
    ['return unpack(t)', UNPACK],
    ['return table.unpack(t)', UNPACK],
    ["return table['unpack'](t)", UNPACK],
    ['return unpack{1, 2}', UNPACK],
    ["redis.call('DEL', unpack(KEYS))", UNPACK],
    // As the first argument R4 wins: its call site stands before it.
    ['redis.call(unpack(ARGV))', 'first parameter of redis.call/pcall must be a single literal string'],
    ["local a = unpack(t) redis.call('nope')", UNPACK],
  ],
});

testRule('rule unpack (R7) with script_check_unpack: args', {
  policy: { ...TAIR, unpack: 'args' },
  valid: ["redis.call('DEL', unpack(KEYS))", "redis.call('SADD', KEYS[1], 'x', unpack(ARGV, 2))"],
  invalid: [
    ['local a, b = unpack(ARGV)', UNPACK],
    ["redis.call('DEL', f(unpack(KEYS)))", UNPACK],
    ['redis.call(unpack(ARGV))', 'first parameter of redis.call/pcall must be a single literal string'],
  ],
});
