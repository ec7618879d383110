import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reportFor, SAFE } from '../support/checking.ts';

const REFUSAL = 'ERR Write commands are not allowed from read-only scripts';

describe('rule read-only-script (R12b)', () => {
  const refusals: readonly (readonly [script: string, text: string | undefined])[] = [
    ["return redis.call('GET', KEYS[1])", undefined],
    // Not proven to write: the node judges.
    ["redis.call('PUBLISH', 'x', 'y')", undefined],
    ["redis.call('CONFIG', 'SET', 'x', 'y')", undefined],
    ["redis.call('set', KEYS[1], 'x')", REFUSAL],
    ["redis.call('XGROUP', 'DESTROY', KEYS[1], 'g')", REFUSAL],
    ["if false then redis.pcall('DEL', KEYS[1]) end", REFUSAL],
    ["local c = redis.call c('SET', KEYS[1], 'x')", REFUSAL],
  ];
  for (const [script, text] of refusals) {
    it(`${text === undefined ? 'passes' : 'refuses'} ${script}`, () => {
      assert.equal(reportFor(script, SAFE).refusalReadOnlyScript?.text, text);
    });
  }

  it('does not touch EVAL', () => {
    assert.equal(reportFor("redis.call('SET', KEYS[1], 'x')").refusal, undefined);
  });
});
