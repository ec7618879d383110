/** Mutated real scripts: only known outcomes may come out. SEED repeats a run, ROUNDS makes it longer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LUA } from '../../src/resp/errors.ts';
import { callOf, LEGACY, RESOLVE, reportFor, SAFE, TAIR, verdictOf } from './support/checking.ts';
import { Random } from './support/random.ts';
import { type RealScript, realScripts } from './support/real-scripts.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env['ROUNDS'] ?? 400);

const scripts = realScripts();
const FIXED: ReadonlySet<unknown> = new Set(Object.values(LUA).filter((text) => typeof text === 'string'));
const MADE = [LUA.unknownCommand(''), LUA.keyNeedsTag(0, 'KEYS').split('0')[0] ?? ''] as const;

function isKnown(text: string): boolean {
  return FIXED.has(text) || MADE.some((start) => text.startsWith(start));
}

const INSERTS = [
  "redis.call('GET',",
  ')',
  '(',
  'local redis = nil ',
  'redis.call ',
  "'",
  ']]',
  '--[[',
  ' end ',
  ' break; ',
  'unpack(KEYS)',
  '\0',
  '\xff',
  ' .. KEYS[1]',
  'return ',
  'function() ',
] as const;

function mutated(text: string, random: Random): string {
  let result = text;
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(result.length + 1);
    const other = scripts[random.below(scripts.length)]?.text ?? '';
    const from = random.below(other.length);
    const insert = random.below(3) === 0 ? other.slice(from, from + random.below(200)) : random.pick(INSERTS);
    result = result.slice(0, at) + insert + result.slice(at + random.below(20));
  }
  return result;
}

function assertKnown(text: string, { keys, argv }: RealScript): void {
  for (const policy of [TAIR, LEGACY, RESOLVE, SAFE]) {
    const report = reportFor(text, policy);
    for (const finding of [...report.findings, ...report.hints]) {
      assert.ok(isKnown(finding.text), finding.text);
      assert.ok(finding.line >= 1 && finding.column >= 1);
    }
    assert.equal(report.refusal, report.findings[0]?.text);
    assert.ok(!(report.isReadOnly && report.writesWithoutPrivilege && !text.startsWith('#!')));
  }
  const verdict = verdictOf(text, keys, argv);
  assert.ok(verdict === 'proven' || verdict === 'unproven' || isKnown(verdict), verdict);
}

describe('fuzz of the Lua checks', () => {
  it(`gives only known outcomes (SEED=${SEED})`, () => {
    const random = new Random(SEED);
    for (let i = 0; i < ROUNDS; i++) {
      const script = scripts[random.below(scripts.length)];
      if (script === undefined) continue;
      const text = mutated(script.text, random);
      try {
        assertKnown(text, script);
      } catch (error) {
        console.log(`SEED=${SEED} round ${i}: ${JSON.stringify(text)}`);
        throw error;
      }
    }
  });

  it('judges random calls without throwing', () => {
    const random = new Random(SEED);
    for (const { text } of scripts) {
      const some = () =>
        Array.from({ length: random.below(4) }, () => random.pick(['', '{a}', '{a}b', 'x', '{', '\0']));
      const keys = ['{a}', ...some()];
      assert.equal(typeof verdictOf(text, keys, some()), 'string');
      assert.equal(callOf(keys, []).keyCount, keys.length);
    }
  });
});
