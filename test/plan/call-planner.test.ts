import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANY_SLOT, type CallPlan, type Plan } from '../../src/plan/plan.ts';
import type { Policy } from '../../src/plan/policy.ts';
import { shaOf } from '../../src/script/sha.ts';
import type { Argument } from '../support/client.ts';
import { slotOfKey } from '../support/cluster.ts';
import { plannerOf } from '../support/planning.ts';
import { requestOf } from '../support/request.ts';

const BODY = 'return 1';
const AT_PRIMARY = { kind: 'call', isReplicaRead: false };
const SHA = shaOf(Buffer.from(BODY));

function setUp(keylessScripts: Policy['keylessScripts'] = 'reject', maxBytes = 1e6) {
  const { planner, registry } = plannerOf({ policy: { keylessScripts }, maxBytes });
  const plan = (...args: Argument[]): Plan => planner.plan(requestOf(...args));
  const call = (...args: Argument[]): CallPlan => {
    const planned = plan(...args);
    assert.equal(planned.kind, 'call');
    return { ...(planned as CallPlan) };
  };
  return { registry, plan, call };
}

function errorOf(plan: Plan): string {
  assert.equal(plan.kind, 'reply');
  return plan.kind === 'reply' ? plan.bytes.toString().slice(1, -2) : '';
}

const ARITY = "ERR wrong number of arguments for 'eval' command";
const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
const KEYLESS = "ERR for redis cluster, eval/evalsha number of keys can't be negative or zero";
const NEGATIVE = "ERR Number of keys can't be negative";
const TOO_MANY = "ERR Number of keys can't be greater than number of args";
const SAME_SLOT = "ERR 'EVAL' command keys must in same slot";

/** In SPEC's order; where two conditions fail at once, the first answers. */
const ORDER: [args: string, policy: Policy['keylessScripts'], error: string][] = [
  ['EVAL', 'reject', ARITY],
  ['EVAL x', 'reject', ARITY],
  ['EVAL x y', 'reject', NOT_AN_INTEGER],
  ['EVAL x 1.5 a', 'reject', NOT_AN_INTEGER],
  ['EVAL x 01 a', 'reject', NOT_AN_INTEGER],
  ['EVAL x +1 a', 'reject', NOT_AN_INTEGER],
  ['EVAL x -0 a', 'reject', NOT_AN_INTEGER],
  ['EVAL x 9223372036854775808 a b', 'reject', NOT_AN_INTEGER],
  ['EVAL x y a b', 'reject', NOT_AN_INTEGER],
  ['EVAL x y a b', 'route', NOT_AN_INTEGER],
  ['EVAL x 0', 'reject', KEYLESS],
  ['EVAL x -1', 'reject', KEYLESS],
  ['EVAL x -9223372036854775808 a b', 'reject', KEYLESS],
  ['EVAL x -1 a b', 'route', NEGATIVE],
  ['EVAL x 1', 'reject', TOO_MANY],
  ['EVAL x 3 a b', 'reject', TOO_MANY],
  ['EVAL x 3 a b', 'route', TOO_MANY],
  ['EVAL x 9223372036854775807 a b', 'reject', TOO_MANY],
  ['EVAL x 2 a b', 'reject', SAME_SLOT],
  ['EVAL x 3 {a}1 {a}2 b', 'reject', SAME_SLOT],
];

describe('CallPlanner', () => {
  for (const [args, policy, error] of ORDER) {
    it(`CallPlanner answers ${args} under keyless_scripts ${policy}: ${error}`, () => {
      assert.equal(errorOf(setUp(policy).plan(...args.split(' '))), error);
    });
  }

  /** Refused by the Lua checks: nested calls. */
  const bad = "return redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]))";
  const BAD_LUA = 'ERR bad lua script for redis cluster, nested redis.call/redis.pcall';
  const withChecks: [args: string[], error: string][] = [
    [['y', 'a'], NOT_AN_INTEGER],
    [['0'], KEYLESS],
    [['3', 'a', 'b'], TOO_MANY],
    [['2', 'a', 'b'], BAD_LUA],
    [['1', 'a'], BAD_LUA],
  ];
  for (const [args, error] of withChecks) {
    it(`CallPlanner judges a script that the Lua checks refuse, ${args.join(' ')}: ${error}`, () => {
      const { planner, registry } = plannerOf({ policy: { checks: 'refuse' } });
      assert.equal(errorOf(planner.plan(requestOf('EVAL', bad, ...args))), error);
      assert.equal(registry.count, 0);
    });
  }

  for (const name of ['EVAL', 'evalsha', 'EVAL_RO', 'EVALSHA_RO', 'FCALL', 'FCALL_RO']) {
    it(`CallPlanner names ${name} in upper case when keys lie in several slots`, () => {
      assert.equal(
        errorOf(setUp().plan(name, 'x', '2', 'a', 'b')),
        `ERR '${name.toUpperCase()}' command keys must in same slot`,
      );
    });
  }

  for (const name of ['EVALSHA', 'EVAL_RO', 'evalsha_ro']) {
    it(`CallPlanner judges ${name} in the same order`, () => {
      const { plan } = setUp();
      assert.equal(errorOf(plan(name, 'x')), `ERR wrong number of arguments for '${name.toLowerCase()}' command`);
      assert.equal(errorOf(plan(name, 'x', 'y')), NOT_AN_INTEGER);
      assert.equal(errorOf(plan(name, 'x', '0')), KEYLESS);
      assert.equal(errorOf(plan(name, 'x', '1')), TOO_MANY);
    });
  }

  it('plans a script by its keys, arguments left aside', () => {
    const { call } = setUp();
    const plan = call('EVAL', BODY, '2', '{t}1', '{t}2', 'other');
    assert.deepEqual(
      { ...plan, script: plan.script?.sha },
      { ...AT_PRIMARY, slot: slotOfKey('t'), script: SHA, form: 'eval', isReadOnly: false, keyCount: 2 },
    );
    assert.deepEqual(
      { ...call('EVALSHA_RO', SHA.toUpperCase(), '1', 'a'), script: undefined },
      { ...AT_PRIMARY, slot: slotOfKey('a'), script: undefined, form: 'evalsha', isReadOnly: true, keyCount: 1 },
    );
    assert.equal(call('EVAL_RO', BODY, '1', 'a').isReadOnly, true);
  });

  it('knows the script of an EVALSHA after an EVAL, in any case, and that of an EVAL again', () => {
    const { call, registry } = setUp();
    assert.equal(call('EVALSHA', SHA, '1', 'a').script, undefined);
    const { script } = call('EVAL', BODY, '1', 'a');
    assert.equal(script?.origin, 'eval');
    assert.equal(call('EVALSHA', SHA, '1', 'b').script, script);
    assert.equal(call('EVALSHA', SHA.toUpperCase(), '1', 'b').script, script);
    assert.equal(call('EVAL', BODY, '1', 'b').script, script);
    assert.equal(call('EVALSHA', SHA.slice(1), '1', 'a').script, undefined);
    assert.equal(registry.count, 1);
  });

  it('keeps the script that was used last', () => {
    const { call, registry } = setUp('reject', 4 * (BODY.length + 512));
    call('EVAL', 'return 0', '1', 'a');
    for (let i = 1; i < 4; i++) call('EVAL', `return ${i}`, '1', 'a');
    call('EVALSHA', shaOf(Buffer.from('return 0')), '1', 'a');
    call('EVAL', 'return 1', '1', 'a');
    call('EVAL', 'return 8', '1', 'a');
    call('EVAL', 'return 9', '1', 'a');
    const held = ['0', '1', '2', '3'].filter((n) => registry.findBySha(shaOf(Buffer.from(`return ${n}`))));
    assert.deepEqual(held, ['0', '1']);
  });

  it('learns nothing from a script that is refused', () => {
    const { plan, registry } = setUp();
    for (const args of [['y'], ['0'], ['2', 'a'], ['2', 'a', 'b']]) plan('EVAL', BODY, ...args);
    assert.equal(registry.count, 0);
  });

  it('plans a script that the registry cannot hold without it', () => {
    const { call, registry } = setUp('reject', 2000);
    assert.equal(call('EVAL', 'x'.repeat(600), '1', 'a').script, undefined);
    assert.equal(registry.count, 0);
  });

  it('routes a script without keys to the same slot always, however it is named', () => {
    const { call, registry } = setUp('route');
    const slot = Number.parseInt(SHA.slice(0, 7), 16) % 16384;
    assert.equal(call('EVALSHA', SHA, '0').slot, slot);
    assert.equal(call('EVALSHA', SHA.toUpperCase(), '0').slot, slot);
    assert.equal(call('EVAL', BODY, '0', 'arg').slot, slot);
    assert.equal(call('EVALSHA', SHA, '0').slot, slot);
    assert.equal(registry.count, 1);
    for (const odd of ['', 'x', 'z'.repeat(40), `${SHA}0`]) assert.equal(call('EVALSHA', odd, '0').slot, 0);
    const small = setUp('route', 20);
    assert.equal(small.call('EVAL', BODY, '0').slot, slot, 'not held, yet at home in the same slot');
    assert.equal(small.registry.count, 0);
  });

  const functions: [args: string, slot: number, keyCount: number][] = [
    ['FCALL f 1 a', slotOfKey('a'), 1],
    ['FCALL f 2 {a}1 {a}2 b', slotOfKey('a'), 2],
    ['FCALL f 0', ANY_SLOT, 0],
    ['FCALL f 0 a b', ANY_SLOT, 0],
    ['FCALL f -1 a', ANY_SLOT, 0],
    ['FCALL f x a', ANY_SLOT, 0],
    ['FCALL f 9 a', ANY_SLOT, 0],
  ];
  for (const [args, slot, keyCount] of functions) {
    it(`CallPlanner plans ${args} as a call, whose replies are suspect, for the node to judge`, () => {
      const plan = setUp().call(...args.split(' '));
      const expected = { ...AT_PRIMARY, slot, script: undefined, form: 'function', isReadOnly: false, keyCount };
      assert.deepEqual(plan, expected);
    });
  }

  it('plans FCALL_RO as read-only, and forgets the script of the call before', () => {
    const { call } = setUp();
    call('EVAL', BODY, '1', 'a');
    const plan = call('FCALL_RO', 'f', '1', 'a');
    assert.deepEqual([plan.isReadOnly, plan.script], [true, undefined]);
  });
});
