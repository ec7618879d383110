/** Tests of a rule as a table: what passes, and what is refused with which text (without the common beginning). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CheckPolicy } from '../../../src/lua/rule.ts';
import { reportFor } from './checking.ts';

export const PREFIX = 'ERR bad lua script for redis cluster, ';

export interface RuleCases {
  readonly policy: CheckPolicy;
  readonly valid: readonly string[];
  /** A text that begins with ERR is whole. */
  readonly invalid: readonly (readonly [script: string, text: string])[];
}

export function testRule(title: string, { policy, valid, invalid }: RuleCases): void {
  describe(title, () => {
    for (const script of valid) {
      it(`passes ${script}`, () => assert.equal(reportFor(script, policy).refusal, undefined));
    }
    for (const [script, text] of invalid) {
      it(`refuses ${script}`, () => {
        assert.equal(reportFor(script, policy).refusal, text.startsWith('ERR') ? text : PREFIX + text);
      });
    }
  });
}
