import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RESOLVE, reportFor, TAIR } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const NESTED = 'nested redis.call/redis.pcall';

testRule('rule nested (R3)', {
  policy: TAIR,
  valid: [
    // The page's own.
    "local value = redis.call('GET', KEYS[1]); redis.call('SET', KEYS[2], value)",
    "return tonumber(redis.call('GET', KEYS[1]))",
    "redis.log(redis.LOG_NOTICE, redis.call('GET', KEYS[1]))",
    "local function f(a, b) end f(redis.call('GET', 'a'), redis.call('GET', 'b'))",
    "return redis.call('GET', 'a') == redis.call('GET', 'b')",
    "local function get() return redis.call('GET', KEYS[1]) end redis.call('SET', KEYS[2], get())",
  ],
  invalid: [
    ["redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]))", NESTED],
    ["redis.pcall('SET', KEYS[1], redis.pcall('GET', KEYS[2]))", NESTED],
    ["redis.call('SET', KEYS[1], tostring(redis.call('GET', KEYS[2])))", NESTED],
    ["redis.call('SET', KEYS[1], 'x' .. redis.call('GET', KEYS[2]))", NESTED],
    ["redis.call('SET', KEYS[1], ({redis.call('GET', KEYS[2])})[1])", NESTED],
    ["redis.call('SET', KEYS[1], (function() return redis.call('GET', KEYS[2]) end)())", NESTED],
    ["redis.call('SET', KEYS[1], t[redis.call('GET', KEYS[2])])", NESTED],
    ["redis['call']('SET', KEYS[1], server.call('GET', KEYS[2]))", NESTED],
    // In one site nested comes before literal.
    ["redis.call(redis.call('GET', KEYS[1]), KEYS[2])", NESTED],
  ],
});

testRule('rule nested (R3) through an alias', {
  policy: RESOLVE,
  valid: ["local rcall = redis.call; return tonumber(rcall('GET', KEYS[1]))"],
  invalid: [["local rcall = redis.call; rcall('SET', KEYS[1], rcall('GET', KEYS[2]))", NESTED]],
});

it('rule nested points at the first inner call', () => {
  const { findings } = reportFor("redis.call('SET', KEYS[1],\n  redis.call('GET', KEYS[2]))");
  assert.deepEqual(
    findings.map(({ rule, line, column, sourceLine }) => ({ rule, line, column, sourceLine })),
    [{ rule: 'nested', line: 2, column: 3, sourceLine: "  redis.call('GET', KEYS[2]))" }],
  );
});
