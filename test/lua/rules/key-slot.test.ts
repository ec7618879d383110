import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reportFor, SAFE, verdictOf } from '../support/checking.ts';
import { PREFIX } from '../support/rule-tester.ts';

const TAG = `${PREFIX}line 1 builds a key from KEYS[1], which needs a hash tag {…} to stay in its slot`;
const KEYS_ARRAY = `${PREFIX}all the keys that the script uses should be passed using the KEYS array`;

type Case = readonly [verdict: string, script: string, keys: readonly string[], argv?: readonly string[]];

function judge(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const [verdict, script, keys, argv = []] of cases) {
      const call = `${keys.join(' ')}${argv.length > 0 ? ` , ${argv.join(' ')}` : ''}`;
      it(`${verdict.slice(0, 60)} ← ${script} (${call})`, () => assert.equal(verdictOf(script, keys, argv), verdict));
    }
  });
}

judge('rule key-slot: what a key may be', [
  ['proven', "return redis.call('GET', KEYS[1])", ['foo']],
  [TAG, "return redis.call('GET', KEYS[1] .. ':x')", ['foo']],
  ['proven', "return redis.call('GET', KEYS[1] .. ':x')", ['{foo}']],
  [KEYS_ARRAY, "return redis.call('GET', 'x')", ['foo']],
  ['proven', "return redis.call('GET', 'foo')", ['foo']],
  ['proven', "return redis.call('GET', '{foo}x')", ['foo']],
  [KEYS_ARRAY, "return redis.call('GET', '{bar}x')", ['foo']],
  ['proven', "return redis.call('GET', ARGV[1])", ['foo'], ['foo']],
  [KEYS_ARRAY, "return redis.call('GET', ARGV[1])", ['foo'], ['bar']],
  ['unproven', "return redis.call('GET', ARGV[1])", ['foo'], ['']],
  ['unproven', "return redis.call('GET', ARGV[2])", ['foo'], ['foo']],
  ['proven', "return redis.call('GET', '{' .. ARGV[1] .. '}:x')", ['foo'], ['foo']],
  // Something unknown behind.
  ['proven', "return redis.call('GET', KEYS[1] .. redis.sha1hex('x'))", ['{foo}']],
  [TAG, "return redis.call('GET', KEYS[1] .. redis.sha1hex('x'))", ['foo']],
  [TAG, "return redis.call('GET', KEYS[1] .. redis.sha1hex('x'))", ['{}foo']],
  ['unproven', "return redis.call('GET', KEYS[1] .. redis.sha1hex('x'))", ['foo{']],
  ['unproven', "return redis.call('GET', 'x' .. redis.sha1hex('x'))", ['foo']],
  ['unproven', "return redis.call('GET', '{' .. redis.sha1hex('x') .. '}')", ['foo']],
  [KEYS_ARRAY, "return redis.call('GET', '{bar}' .. redis.sha1hex('x'))", ['foo']],
  ['unproven', "return redis.call('GET', redis.call('GET', KEYS[1]))", ['foo']],
  ['unproven', "return redis.call('GET', cjson.decode(ARGV[1]).key)", ['foo'], ['{}']],
  // Several possibilities.
  ['unproven', "local k = KEYS[1] if ARGV[1] then k = k .. ':x' end return redis.call('GET', k)", ['foo']],
  [TAG, "local k if ARGV[1] then k = KEYS[1] .. 'a' else k = KEYS[1] .. 'b' end redis.call('GET', k)", ['foo']],
  ['unproven', "return redis.call('GET', KEYS[1] or '{bar}')", ['foo']],
  // Absent keys fail the script before any command.
  ['proven', "return redis.call('GET', KEYS[2] .. 'x')", ['foo']],
  // Not judged at all.
  ['unproven', "return redis.call('GET', 'x')", []],
  ['proven', "local f = function() return redis.call('GET', 'zz') end return 1", ['foo']],
]);

judge('rule key-slot: which arguments are keys', [
  ['proven', "return redis.call('PUBLISH', 'x', 'y')", ['foo']],
  [KEYS_ARRAY, "return redis.call('SPUBLISH', 'x', 'y')", ['foo']],
  [KEYS_ARRAY, "return redis.call('OBJECT', 'ENCODING', 'x')", ['foo']],
  ['proven', "return redis.call('XADD', KEYS[1], '*', unpack(ARGV))", ['foo'], ['a', 'b']],
  [KEYS_ARRAY, "return redis.call('MSET', KEYS[1], 'a', 'b', 'c')", ['foo']],
  ['proven', "return redis.call('MSET', KEYS[1], 'a', KEYS[1], 'c')", ['foo']],
  ['proven', "return redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[2], 'WEIGHTS', 2)", ['foo', '{foo}']],
  [KEYS_ARRAY, "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], 'x')", ['foo', '{foo}']],
  ['proven', "return redis.call('ZUNIONSTORE', KEYS[1], #KEYS - 1, unpack(KEYS, 2))", ['foo', '{foo}']],
  ['unproven', "return redis.call('ZUNIONSTORE', KEYS[1], #KEYS, 'x')", ['foo', '{foo}']],
  ['proven', "return redis.call('ZUNIONSTORE', KEYS[1], 5, KEYS[2])", ['foo', '{foo}']],
  ['proven', "return redis.call('XREAD', 'COUNT', ARGV[1], 'STREAMS', KEYS[1], '0')", ['foo'], ['1']],
  [KEYS_ARRAY, "return redis.call('XREAD', 'STREAMS', 'x', '0')", ['foo']],
  ['unproven', "return redis.call('XREAD', redis.sha1hex(''), KEYS[1], '0', '0')", ['foo']],
  [KEYS_ARRAY, "return redis.call('SORT', KEYS[1], 'STORE', 'x')", ['foo']],
  // The name of the command from ARGV: decided at the call.
  ['proven', 'return redis.call(ARGV[1], KEYS[1], ARGV[2])', ['foo'], ['SET', 'bar']],
  [KEYS_ARRAY, 'return redis.call(ARGV[1], ARGV[2])', ['foo'], ['GET', 'bar']],
  [TAG, "return redis.call(ARGV[1], KEYS[1] .. 'x')", ['foo'], ['GET']],
  ['proven', 'return redis.call(ARGV[1], ARGV[2])', ['foo'], ['ECHO', 'bar']],
  ['unproven', 'return redis.call(ARGV[1], ARGV[2])', ['foo'], ['NOPE', 'bar']],
  ['unproven', 'return redis.call(ARGV[1], KEYS[1])', ['foo']],
  ['proven', 'return redis.call(unpack(ARGV))', ['foo'], ['SET', 'foo', 'bar']],
  [KEYS_ARRAY, 'return redis.call(unpack(ARGV))', ['foo'], ['SET', 'fooo', 'bar']],
  ['proven', 'return redis.call(unpack(ARGV))', ['foo'], ['object', 'encoding', 'foo']],
  ['proven', "return redis.call('MSET', unpack(ARGV))", ['foo'], ['{foo}a', 'b', '{foo}c', 'd']],
  [KEYS_ARRAY, "return redis.call('MSET', unpack(ARGV))", ['foo'], ['{foo}a', 'b', '{fooo}c', 'd']],
  ['proven', "return redis.call(ARGV[1], 'STREAMS', unpack(ARGV, 2))", ['foo'], ['XREAD', 'foo', '0']],
  ['proven', 'return redis.call(ARGV[1], KEYS[1], 2, unpack(ARGV, 2))', ['foo'], ['ZUNIONSTORE', 'foo', '{foo}']],
  ['unproven', 'return redis.call(ARGV[1] .. ARGV[2], KEYS[1])', ['foo'], ['G', 'ET']],
  // Either of two names: the keys are the same, or it is not told.
  [KEYS_ARRAY, "local c = 'GET' if x then c = 'TTL' end return redis.call(c, 'x')", ['foo']],
  ['unproven', "local c = 'GET' if x then c = 'ECHO' end return redis.call(c, 'x')", ['foo']],
]);

judge('rule key-slot: what is followed', [
  ['proven', "local c = redis.call return c('GET', KEYS[1])", ['foo']],
  [TAG, "local r = redis return r['call']('GET', KEYS[1] .. 'x')", ['foo']],
  [TAG, "local function f(p) return p .. ':x' end return redis.call('GET', f(KEYS[1]))", ['foo']],
  ['proven', "local function f(n, ...) return redis.call(n, ...) end return f('GET', KEYS[1])", ['foo']],
  [TAG, "local function f(...) return redis.call('GET', select(2, ...)) end f(1, KEYS[1] .. 'x')", ['foo']],
  [
    TAG,
    "local t = {} function t:key(s) return self.base .. s end t.base = KEYS[1] redis.call('GET', t:key('x'))",
    ['foo'],
  ],
  [TAG, "local p = KEYS[1] local function f() return redis.call('GET', p .. 'x') end return pcall(f)", ['foo']],
  [TAG, "return pcall(redis.call, 'GET', KEYS[1] .. 'x')", ['foo']],
  [TAG, "table.sort({}, function() redis.call('GET', KEYS[1] .. 'x') end)", ['foo']],
  ['proven', "local k = string.format('{%s}:%s', KEYS[1], ARGV[1]) return redis.call('GET', k)", ['foo'], ['a']],
  ['proven', "return redis.call('GET', ('{%s}:%d'):format(KEYS[1], 5))", ['foo']],
  [TAG, "return redis.call('GET', table.concat({KEYS[1], 'a', 'b'}, ':'))", ['foo']],
  [TAG, "return redis.call('GET', tostring(KEYS[1]) .. 1)", ['foo']],
  ['proven', "for i, k in ipairs(KEYS) do redis.call('GET', k) end", ['foo', '{foo}2']],
  ['proven', "for i = 1, #KEYS do redis.call('GET', KEYS[i]) end", ['foo', '{foo}2']],
  ['unproven', "for i, k in ipairs(ARGV) do redis.call('GET', k) end", ['foo'], ['foo', 'bar']],
  [KEYS_ARRAY, "for i, k in ipairs(ARGV) do redis.call('GET', k) end", ['foo'], ['baz', 'bar']],
  ['proven', "for i, k in ipairs(ARGV) do redis.call('GET', k) end", ['foo'], ['foo', '{foo}']],
  ['proven', "local t = {} for _, k in ipairs(KEYS) do t[#t + 1] = k end redis.call('DEL', unpack(t))", ['foo']],
  ['proven', "local t = {'DEL'} for _, k in pairs(KEYS) do table.insert(t, k) end redis.call(unpack(t))", ['foo']],
  ['unproven', "local t = {KEYS[1], 'x'} table.sort(t) redis.call('DEL', t[1])", ['foo']],
  ['unproven', "table.remove(ARGV, 1) return redis.call('GET', ARGV[1])", ['foo'], ['foo', 'bar']],
  [TAG, "local n = 0 while n < 3 do n = n + 1 redis.call('GET', KEYS[1] .. n) end", ['foo']],
  ['unproven', "local s = '' repeat s = s .. 'x' until #s > 5 redis.call('GET', s)", ['foo']],
  [
    'unproven',
    "local k = KEYS[1] while x do if y then k = 'z' break end k = KEYS[1] end redis.call('GET', k)",
    ['foo'],
  ],
  ['proven', "local k = 'x' if y then k = 'z' return end k = KEYS[1] redis.call('GET', k)", ['foo']],
  ['unproven', "local k = KEYS[1] local function f() k = 'x' end f() return redis.call('GET', k)", ['foo']],
  ['unproven', "local function f(k) redis.call('GET', k) f(k .. 'x') end f(KEYS[1])", ['{foo}']],
  ['proven', "local function f(k) if f(k) then redis.call('GET', k) end end f(KEYS[1])", ['foo']],
  ['unproven', 'return loadstring(ARGV[1])()', ['foo'], ['']],
  ['unproven', 'return redis[ARGV[1]]("GET", "x")', ['foo'], ['call']],
  [
    'proven',
    "local f = function() local i = 0 return function() i = i + 1 return KEYS[i] end end for k in f() do redis.call('GET', k) end",
    ['foo'],
  ],
]);

describe('rule key-slot in the report', () => {
  it('makes notes of conditions and warnings of keys without a KEYS part', () => {
    const { findings, hints, refusal } = reportFor("redis.call('GET', 'x')\nredis.call('GET', KEYS[1] .. 'x')", SAFE);
    assert.deepEqual([findings, refusal], [[], undefined]);
    assert.deepEqual(
      hints.map(({ severity, line, column }) => [severity, line, column]),
      [
        ['warning', 1, 1],
        ['note', 2, 1],
      ],
    );
  });

  it('has no conditions where no call can change the verdict', () => {
    assert.equal(reportFor("return redis.call('GET', KEYS[1])", SAFE).conditions, undefined);
    assert.equal(reportFor("return redis.call('GET', redis.sha1hex(''))", SAFE).conditions, undefined);
    assert.equal(reportFor("return redis.call('GET', 'x')").conditions, undefined);
  });

  it('refuses with the first key in source order, and says where', () => {
    const script =
      "local f = function(k)\n  return redis.call('GET', k)\nend\nredis.call('GET', 'x')\nf(KEYS[1] .. 'y')";
    assert.equal(
      verdictOf(script, ['foo']),
      `${PREFIX}line 2 builds a key from KEYS[1], which needs a hash tag {…} to stay in its slot`,
    );
  });

  it('gives up after 10,000 steps, and then proves nothing', () => {
    const calls = Array.from(
      { length: 60 },
      (_, i) => `local function f${i + 1}(a) f${i}(a .. 'x') f${i}(a .. 'y') end`,
    );
    const script = `local function f0(a) redis.call('GET', KEYS[1]) end ${calls.join(' ')} f60('')`;
    assert.equal(reportFor(script, SAFE).keys, 'unproven');
  });
});
