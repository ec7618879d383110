import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Policy, ReplicaReads } from '../../src/plan/policy.ts';
import type { Argument } from '../support/client.ts';
import { plannerOf } from '../support/planning.ts';
import { requestOf } from '../support/request.ts';

const READ = "return redis.call('GET', KEYS[1])";
const WRITE = "return redis.call('INCR', KEYS[1])";
const OPAQUE = 'return redis.call(ARGV[1], KEYS[1])';
const BOTH: ReplicaReads = { commands: true, provenScripts: true };
const COMMANDS: ReplicaReads = { commands: true, provenScripts: false };
const SCRIPTS: ReplicaReads = { commands: false, provenScripts: true };

function isReplicaRead(
  replicaReads: ReplicaReads | undefined,
  args: readonly Argument[],
  policy: Partial<Policy> = {},
) {
  const { planner, registry } = plannerOf({
    policy: { checks: 'observe', ...policy, ...(replicaReads === undefined ? {} : { replicaReads }) },
  });
  registry.load(Buffer.from(READ));
  const plan = planner.plan(requestOf(...args));
  assert.ok(plan.kind === 'forward' || plan.kind === 'call' || plan.kind === 'split', `${args}: ${plan.kind}`);
  return plan.isReplicaRead;
}

const SHA = 'd1a5ab6e9bd1cbba0e5b2b0ee4a0f8c1a5b2b0ee';

describe('Planner: what may go to a replica', () => {
  const reads: [args: string[], by: (ReplicaReads | undefined)[]][] = [
    [
      ['GET', 'a'],
      [COMMANDS, BOTH],
    ],
    [
      ['MGET', '{a}1', '{a}2'],
      [COMMANDS, BOTH],
    ],
    [
      ['MGET', 'a', 'b'],
      [COMMANDS, BOTH],
    ],
    [
      ['XREAD', 'STREAMS', 'a', '0'],
      [COMMANDS, BOTH],
    ],
    [
      ['OBJECT', 'ENCODING', 'a'],
      [COMMANDS, BOTH],
    ],
    [
      ['FCALL_RO', 'f', '1', 'a'],
      [COMMANDS, BOTH],
    ],
    [
      ['EVAL_RO', 'return 1', '1', 'a'],
      [COMMANDS, SCRIPTS, BOTH],
    ],
    [
      ['EVAL', READ, '1', 'a'],
      [SCRIPTS, BOTH],
    ],
    [
      ['EVAL', `#!lua flags=no-writes\n${READ}`, '1', 'a'],
      [SCRIPTS, BOTH],
    ],
    [['EVAL', `#!lua\n${READ}`, '1', 'a'], []],
    [['EVAL', WRITE, '1', 'a'], []],
    [['EVAL', OPAQUE, '1', 'a', 'get'], []],
    [['EVALSHA', SHA, '1', 'a'], []],
    [['EVALSHA_RO', SHA, '1', 'a'], []],
    [['FCALL', 'f', '1', 'a'], []],
    [['FCALL_RO', 'f', '0'], []],
    [['SET', 'a', '1'], []],
    [['MSET', 'a', '1', 'b', '2'], []],
    [['HSCAN', 'a', '0'], []],
    [['TOUCH', 'a', 'b'], []],
    [['OBJECT', 'HELP'], []],
  ];
  for (const [args, by] of reads) {
    it(`${args.join(' ').replaceAll('\n', '\\n')}`, () => {
      for (const replicaReads of [undefined, COMMANDS, SCRIPTS, BOTH]) {
        assert.equal(isReplicaRead(replicaReads, args), by.includes(replicaReads), JSON.stringify(replicaReads));
      }
    });
  }

  it('EVALSHA of a script that is known and proven', () => {
    const { planner, registry } = plannerOf({ policy: { checks: 'refuse', replicaReads: SCRIPTS } });
    const script = registry.load(Buffer.from(READ));
    assert.ok(script);
    const plan = planner.plan(requestOf('EVALSHA', script.sha.toUpperCase(), '1', 'a'));
    assert.ok(plan.kind === 'call' && plan.isReplicaRead);
    const next = planner.plan(requestOf('EVAL', WRITE, '1', 'a'));
    assert.ok(next.kind === 'call' && !next.isReplicaRead, 'the plan is filled anew');
  });

  const unproven: [what: string, policy: Partial<Policy>][] = [
    ['the checks are off', { checks: 'off' }],
    ['the script is exempt', { exempt: new Set([shaOfRead()]) }],
    ['the body is too large', { checkPolicy: { profile: 'tair', unpack: 'reject', alias: 'reject', maxBytes: 10 } }],
  ];
  for (const [what, policy] of unproven) {
    it(`not EVAL when ${what}`, () => assert.equal(isReplicaRead(BOTH, ['EVAL', READ, '1', 'a'], policy), false));
  }
});

function shaOfRead(): string {
  const { registry } = plannerOf();
  return registry.load(Buffer.from(READ))?.sha ?? '';
}
