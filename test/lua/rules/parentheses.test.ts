import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RESOLVE, reportFor, TAIR } from '../support/checking.ts';
import { testRule } from '../support/rule-tester.ts';

const EXPECT = "redis.call/pcall expect '('";

testRule('rule parentheses (R5)', {
  policy: TAIR,
  valid: [
    "redis.call  ('GET', KEYS[1])",
    "redis.call(\n'GET', KEYS[1])",
    "(redis.call)('GET', KEYS[1])",
    "redis['call']('GET', KEYS[1])",
    "server.pcall('GET', KEYS[1])",
    // These are no references to redis.call.
    "t.redis.call'GET'",
    'redis.CALL = 1',
    'local redis = {} local x = redis.call',
    "redis.log(redis.LOG_NOTICE, 'x')",
    "redis.sha1hex'x'",
    '-- redis.call\nreturn 1',
    "return 'redis.call'",
  ],
  invalid: [
    ['local rcall = redis.call', EXPECT],
    ["pcall(redis.call, 'GET', KEYS[1])", EXPECT],
    ["redis.call'GET'", EXPECT],
    ['redis.call[[GET]]', EXPECT],
    ["redis.call{'GET', KEYS[1]}", EXPECT],
    ['local t = {redis.pcall}', EXPECT],
    ["local t = redis['call']", EXPECT],
    ['redis.call = nil', EXPECT],
    // An alias is not followed, and its calls are not judged.
    ["local rcall = redis.call; rcall('NOPE')", EXPECT],
    // Scripts that do not parse.
    ["redis.call 'GET' 1 2", EXPECT],
    ['redis.call KEYS[1]', EXPECT],
    ["x = = 'a'..redis.pcall;", EXPECT],
  ],
});

testRule('rule parentheses (R5) with script_check_alias: resolve', {
  policy: RESOLVE,
  valid: [
    "local rcall = redis.call; return rcall('GET', KEYS[1])",
    "local call, pc = redis.call, redis.pcall; call('GET', KEYS[1]) pc('GET', KEYS[1])",
    "return pcall(redis.call, 'GET', KEYS[1])",
    // Cannot be followed: forwarded.
    "local rcall = redis.call; rcall = f; rcall('NOPE')",
    'x = = redis.call',
  ],
  invalid: [
    ["redis.call'GET'", EXPECT],
    ["local rcall = redis.call; rcall'GET'", EXPECT],
    ["local rcall = redis.call; rcall('NOPE')", 'redis.call/pcall unkown redis command NOPE'],
    ["x = = redis.call'GET'", EXPECT],
  ],
});

it('rule parentheses leaves a script that merely does not parse to the node', () => {
  for (const script of [
    'return return',
    "redis.call('GET', KEYS[1]) end",
    'x = = redis.foo',
    "x:redis.call'x' = 1",
    "'",
  ]) {
    const report = reportFor(script);
    assert.equal(report.refusal, undefined, script);
    assert.equal(report.notAnalysed, 'it does not parse');
  }
});
