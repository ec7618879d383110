import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import type { CheckPolicy } from '../../src/lua/rule.ts';
import type { Policy } from '../../src/plan/policy.ts';
import { CheckCounters, type Refusal, ScriptChecks } from '../../src/plan/script-checks.ts';
import { ScriptRegistry } from '../../src/script/registry.ts';
import { type Script, scriptFromBody } from '../../src/script/script.ts';
import { shaOf } from '../../src/script/sha.ts';
import { callOf } from '../lua/support/checking.ts';

const UNPACK = 'ERR bad lua script for redis cluster, unpack is not supported';
const READ_ONLY = 'ERR Write commands are not allowed from read-only scripts';
const KEYS_ARRAY =
  'ERR bad lua script for redis cluster, all the keys that the script uses should be passed using the KEYS array';

interface SetUp {
  readonly checks: ScriptChecks;
  readonly refusals: Refusal[];
  readonly notAnalysed: string[];
  /** What answers to a body that nobody holds. */
  refusalOf(body: string, isReadOnlyForm?: boolean): string | undefined;
}

function setUp(
  policy: Partial<Omit<Policy, 'checkPolicy'>> & { readonly checkPolicy?: Partial<CheckPolicy> } = {},
): SetUp {
  const refusals: Refusal[] = [];
  const notAnalysed: string[] = [];
  const checks = new ScriptChecks({
    policy: {
      keylessScripts: 'reject',
      checks: 'refuse',
      exempt: new Set(),
      ...policy,
      checkPolicy: { profile: 'tair', unpack: 'reject', alias: 'reject', maxBytes: 1_000_000, ...policy.checkPolicy },
    },
    table: SHIPPED_TABLE,
    events: {
      onRefusal: (refusal) => refusals.push(refusal),
      onNotAnalysed: (sha, reason) => notAnalysed.push(`${sha} ${reason}`),
    },
    counters: new CheckCounters(),
  });
  const refusalOf = (body: string, isReadOnlyForm = false) => {
    const checked = checks.ofBody(Buffer.from(body));
    return checked === undefined ? undefined : checks.refusalOf(checked, isReadOnlyForm);
  };
  return { checks, refusals, notAnalysed, refusalOf };
}

function scriptOf(body: string): Script {
  return scriptFromBody(Buffer.from(body), 'eval');
}

describe('ScriptChecks', () => {
  it('refuses, counts and tells', () => {
    const { checks, refusals, refusalOf } = setUp();
    assert.equal(refusalOf('return unpack(KEYS)'), UNPACK);
    assert.equal(refusalOf('return unpack(KEYS)'), UNPACK);
    assert.equal(refusalOf('return 1'), undefined);
    assert.deepEqual([checks.counters.refused, checks.counters.observed], [2, 0]);
    assert.deepEqual(
      refusals.map(({ sha, finding, isObserved }) => [sha, finding.rule, finding.line, finding.column, isObserved]),
      Array(2).fill([shaOf(Buffer.from('return unpack(KEYS)')), 'unpack', 1, 8, false]),
    );
  });

  it('only tells and counts in mode observe', () => {
    const { checks, refusals, refusalOf } = setUp({ checks: 'observe' });
    assert.equal(refusalOf('return unpack(KEYS)'), undefined);
    assert.deepEqual([checks.counters.refused, checks.counters.observed], [0, 1]);
    assert.deepEqual([refusals[0]?.finding.text, refusals[0]?.isObserved], [UNPACK, true]);
  });

  it('judges the read-only forms by what they may not do as well', () => {
    const { refusalOf } = setUp();
    const body = "return redis.call('DEL', KEYS[1])";
    assert.deepEqual([refusalOf(body), refusalOf(body, true)], [undefined, READ_ONLY]);
    assert.equal(refusalOf(`unpack(KEYS) ${body}`, true), UNPACK);
  });

  it('does nothing when it is off', () => {
    const { checks, refusalOf } = setUp({ checks: 'off' });
    const script = scriptOf('return unpack(KEYS)');
    assert.equal(refusalOf('return unpack(KEYS)'), undefined);
    assert.deepEqual([checks.isOff, checks.ofScript(script), checks.ofSha(script.sha)], [true, undefined, undefined]);
  });

  it('leaves exempt shas alone, whoever holds the body', () => {
    const script = scriptOf('return unpack(KEYS)');
    const { checks, refusalOf } = setUp({ exempt: new Set([script.sha]) });
    assert.equal(refusalOf('return unpack(KEYS)'), undefined);
    assert.deepEqual([checks.ofScript(script), checks.ofSha(script.sha)], [undefined, undefined]);
    assert.equal(refusalOf('return unpack(ARGV)'), UNPACK);
  });

  it('judges a body once, by whichever way it comes', () => {
    const { checks } = setUp();
    const script = scriptOf("return redis.call('GET', KEYS[1])");
    const checked = checks.ofBody(script.body);
    assert.ok(checked);
    assert.equal(checks.ofBody(Buffer.from(script.body)), checked);
    assert.equal(checks.ofScript(script), checked);
    assert.equal(checks.ofScript(script), checked);
    assert.equal(checks.ofSha(script.sha.toUpperCase()), checked);
    assert.equal(checks.ofSha('f'.repeat(40)), undefined);
  });

  it('counts and tells once of a body that it does not analyse', () => {
    const { checks, notAnalysed, refusalOf } = setUp({ checkPolicy: { maxBytes: 20 } });
    const long = scriptOf('return unpack(KEYS) -- too long');
    for (let i = 0; i < 3; i++) assert.equal(refusalOf(long.body.toString()), undefined);
    checks.ofScript(long);
    checks.ofScript(long);
    refusalOf('return return');
    assert.deepEqual(notAnalysed, [
      `${long.sha} it is larger than 20 bytes`,
      `${shaOf(Buffer.from('return return'))} it does not parse`,
    ]);
    assert.equal(checks.counters.notAnalysed, 2);
  });

  it('judges what the registry holds anew under another policy', () => {
    const registry = new ScriptRegistry({ maxBytes: 1e6, onForgotten: () => {} });
    const script = registry.load(Buffer.from('local c = redis.call return c(unpack(ARGV))'));
    assert.ok(script);
    const verdict = ({ checks }: SetUp) => {
      const checked = checks.ofScript(registry.findBySha(script.sha) as Script);
      return checked === undefined ? 'not checked' : checks.refusalOf(checked, false);
    };
    const [strict, lenient] = [setUp(), setUp({ checkPolicy: { alias: 'resolve', unpack: 'args' } })];
    assert.match(verdict(strict) ?? '', /expect '\('$/);
    assert.match(verdict(lenient) ?? '', /must be a single literal string$/);
    assert.equal(verdict(setUp({ checkPolicy: { profile: 'safe' } })), undefined);
    assert.equal(verdict(setUp({ exempt: new Set([script.sha]) })), 'not checked');
    assert.match(verdict(strict) ?? '', /expect '\('$/);
  });

  describe('profile safe', () => {
    const check = (body: string, keys: string[], argv: string[] = []) => {
      const { checks, refusals } = setUp({ checkPolicy: { profile: 'safe' } });
      const checked = checks.ofBody(Buffer.from(body));
      assert.ok(checked && checks.judgesCalls);
      const refusal = checks.refusalOfCall(checked, callOf(keys, argv));
      const { callsProven, callsUnproven, refused } = checks.counters;
      return { refusal, counted: [callsProven, callsUnproven, refused], told: refusals.length };
    };

    const literal = "return redis.call('GET', '{a}x')";
    const cases: [title: string, body: string, keys: string[], refusal: string | undefined, counted: number[]][] = [
      ['proven by its conditions', literal, ['a'], undefined, [1, 0, 0]],
      ['refused by its conditions', literal, ['b'], KEYS_ARRAY, [0, 0, 1]],
      ['unproven by its conditions', "return redis.call('GET', ARGV[1])", ['a'], undefined, [0, 1, 0]],
      ['proven without conditions', "return redis.call('GET', KEYS[1])", ['a'], undefined, [1, 0, 0]],
      ['unproven without conditions', "return redis.call('GET', cjson.decode(ARGV[1]))", ['a'], undefined, [0, 1, 0]],
    ];
    for (const [title, body, keys, refusal, counted] of cases) {
      it(`counts a call that is ${title}`, () => {
        assert.deepEqual(check(body, keys), { refusal, counted, told: refusal === undefined ? 0 : 1 });
      });
    }

    it('is the only one that judges calls', () => {
      for (const profile of ['tair', 'tair_legacy'] as const) {
        assert.equal(setUp({ checkPolicy: { profile } }).checks.judgesCalls, false);
      }
    });
  });

  /** A piece of a string keeps all of it alive: in V8 a report held the body that it was about. */
  for (const [profile, code] of [
    ['tair', "redis.call('A_LONG_UNKNOWN_COMMAND')"],
    ['tair', `redis.call('${'A_LONG_UNKNOWN_COMMAND'.repeat(100)}')`],
    ['tair', 'redis.call([[A_LONG_UNKNOWN_COMMAND]])'],
    ['safe', "redis.call('GET', 'a rather long literal' .. KEYS[1])"],
    ['safe', `redis.call('GET', '${'a rather long literal'.repeat(100)}' .. KEYS[1])`],
    [
      'safe',
      `local y = '${'y'.repeat(500)}' ${Array.from({ length: 300 }, (_, i) => `redis.call('GET', KEYS[1] .. y .. '${i}')`).join(' ')}`,
    ],
  ] as const) {
    it(`holds no body that the registry does not: ${profile}, ${code.slice(0, 50)}`, () => {
      const { checks } = setUp({ checkPolicy: { profile } });
      const count = 100;
      const before = heapBytes();
      for (let i = 0; i < count; i++) checks.ofBody(Buffer.from(`${code} --${i}${'x'.repeat(200_000)}`));
      const each = (heapBytes() - before) / count;
      assert.equal(checks.ofSha('f'.repeat(40)), undefined, 'the checks are still alive');
      assert.ok(each < 60_000, `${each.toFixed()} bytes a body`);
    });
  }
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
