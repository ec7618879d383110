import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reportFor, TAIR } from '../support/checking.ts';
import { PREFIX } from '../support/rule-tester.ts';

const REFUSAL = 'ERR bad write command in no write privilege';

describe('rule write-privilege (R12a)', () => {
  const refusals: readonly (readonly [script: string, text: string | undefined])[] = [
    ["return redis.call('GET', KEYS[1])", undefined],
    ["redis.call('TIME') redis.call('ECHO', 'x') redis.call('PING')", undefined],
    ["return redis.call('XINFO', 'STREAM', KEYS[1])", undefined],
    [
      'return redis.call(ARGV[1], KEYS[1])',
      `${PREFIX}first parameter of redis.call/pcall must be a single literal string`,
    ],
    ["redis.call('SET', KEYS[1], 'x')", REFUSAL],
    ["redis.call('PUBLISH', 'x', 'y')", REFUSAL],
    ["redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '$')", REFUSAL],
    ["redis.call('CONFIG', 'GET', 'x')", REFUSAL],
    // The first call site answers.
    ["redis.call('SET', KEYS[1], 'x') redis.call('NOPE')", REFUSAL],
    ["redis.call('NOPE') redis.call('SET', KEYS[1], 'x')", `${PREFIX}redis.call/pcall unkown redis command NOPE`],
    // In one site nested comes before, and the keys of old profiles behind.
    ["redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]))", `${PREFIX}nested redis.call/redis.pcall`],
  ];
  for (const [script, text] of refusals) {
    it(`${text === undefined ? 'passes' : 'refuses'} ${script}`, () => {
      assert.equal(reportFor(script).refusalReadOnlyAccount?.text, text);
    });
  }

  it('comes before the keys of profile tair_legacy', () => {
    const report = reportFor("redis.call('SET', 'x', 'y')", { ...TAIR, profile: 'tair_legacy' });
    assert.equal(report.refusalReadOnlyAccount?.text, REFUSAL);
  });

  it('holds by itself with the checks switched off', () => {
    assert.equal(reportFor("redis.call('NOPE') redis.call('SET', KEYS[1], 'x')").writesWithoutPrivilege, true);
    assert.equal(reportFor("redis.call('NOPE') redis.call('GET', KEYS[1])").writesWithoutPrivilege, false);
    assert.equal(reportFor("local c = redis.call c('SET', KEYS[1], 'x')").writesWithoutPrivilege, true);
  });

  it('tells which scripts cannot be judged', () => {
    for (const script of [
      'redis.call(ARGV[1], KEYS[1])',
      "redis.call('NOPE')",
      "redis.call('XGROUP', ARGV[1], KEYS[1])",
      "pcall(redis.call, 'SET', KEYS[1], 'x')",
      'loadstring(ARGV[1])()',
      'x = = 1',
    ]) {
      assert.equal(reportFor(script).isOpaque, true, script);
    }
    assert.equal(reportFor("local c = redis.call; c('SET', KEYS[1], 'x')").isOpaque, false);
  });
});
