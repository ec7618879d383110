import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Policy } from '../../src/plan/policy.ts';
import { slotOfKey } from '../support/cluster.ts';
import { plannerOf } from '../support/planning.ts';
import { requestOf } from '../support/request.ts';

const A = slotOfKey('a');
const SHA = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';
const REFUSE: Partial<Policy> = { checks: 'refuse' };

function queued(request: string[], policy: Partial<Policy> = {}): string {
  const plan = plannerOf({ policy }).planner.planQueued(requestOf(...request));
  if (plan.kind === 'reply') return plan.bytes.toString('latin1').trimEnd();
  return 'slot' in plan ? `${plan.kind} ${plan.slot}` : plan.kind;
}

function inMulti(command: string): string {
  return `-ERR evalgate: '${command}' is not supported inside MULTI`;
}

function notInTair(command: string): string {
  return `-ERR '${command}' command is not supported in MULTI/EXEC transactions`;
}

describe('planQueued', () => {
  const plans: [request: string, plan: string][] = [
    ['SET a 1', `forward ${A}`],
    ['MGET a {a}b', `forward ${A}`],
    ['MGET a b', "-CROSSSLOT Keys in request don't hash to the same slot"],
    ['RENAME a b', "-CROSSSLOT Keys in request don't hash to the same slot"],
    ['BLPOP a 0', `forward ${A}`],
    ['XREAD BLOCK 0 STREAMS a 0', `forward ${A}`],
    ['PING', 'forward -1'],
    ['ECHO x', 'forward -1'],
    ['SELECT 0', 'forward -1'],
    ['PUBLISH a b', 'forward -1'],
    ['NOSUCHCOMMAND a', 'forward -1'],
    ['SET a', 'forward -1'],
    ['UNWATCH', 'forward -1'],
    ['FCALL f 1 a', `call ${A}`],
    ['EVAL x 1 a', `call ${A}`],
    [`EVALSHA ${SHA} 1 a`, `call ${A}`],
    ['MULTI', 'transaction -1'],
    ['EXEC', 'transaction -1'],
    ['DISCARD', 'transaction -1'],
    ['WATCH a', `transaction ${A}`],
    ['QUIT', 'local'],
    ['RESET', 'local'],
    ['CLIENT ID', inMulti('CLIENT ID')],
    ['CLIENT SETNAME x', inMulti('CLIENT SETNAME')],
    ['HELLO', inMulti('HELLO')],
    ['READONLY', inMulti('READONLY')],
    ['WAIT 1 0', inMulti('WAIT')],
    ['SCAN 0', inMulti('SCAN')],
    ['RANDOMKEY', inMulti('RANDOMKEY')],
    ['KEYS *', inMulti('KEYS')],
    ['FLUSHALL', inMulti('FLUSHALL')],
    ['FUNCTION LOAD x', inMulti('FUNCTION LOAD')],
    ['SCRIPT LOAD x', inMulti('SCRIPT LOAD')],
    ['SCRIPT FLUSH', inMulti('SCRIPT FLUSH')],
    ['POST /', 'close'],
  ];
  for (const [request, plan] of plans) {
    it(`${request}: ${plan}`, () => assert.equal(queued(request.split(' ')), plan));
  }

  const scripts: [request: string, refusal: string][] = [
    ['EVAL x nonsense a', notInTair('EVAL')],
    ['eval_ro x 1 a', notInTair('EVAL_RO')],
    [`EVALSHA ${SHA} 0`, notInTair('EVALSHA')],
    [`EVALSHA_RO ${SHA} 1 a`, notInTair('EVALSHA_RO')],
    ['SCRIPT LOAD x', notInTair('SCRIPT')],
    ['SCRIPT EXISTS x', notInTair('SCRIPT')],
    ['SCRIPT HELP', notInTair('SCRIPT')],
    ['SCRIPT DEBUG YES', notInTair('SCRIPT')],
    ['EVAL x', "-ERR wrong number of arguments for 'eval' command"],
  ];
  for (const [request, refusal] of scripts) {
    it(`with the checks of Tair, ${request}: ${refusal}`, () => {
      assert.equal(queued(request.split(' '), REFUSE), refusal);
    });
  }

  it('with the checks of Tair, FCALL and plain commands are queued', () => {
    assert.equal(queued(['FCALL', 'f', '1', 'a'], REFUSE), `call ${A}`);
    assert.equal(queued(['GET', 'a'], REFUSE), `forward ${A}`);
  });

  it('what is not supported at all is refused as outside', () => {
    assert.match(queued(['MONITOR']), /^-ERR evalgate: 'MONITOR' is not supported/);
  });

  it('observe and profile safe do not refuse scripts inside MULTI', () => {
    const safe = { profile: 'safe', unpack: 'reject', alias: 'reject', maxBytes: 1e6 } as const;
    assert.equal(queued(['EVAL', 'return 1', '1', 'a'], { checks: 'observe' }), `call ${A}`);
    assert.equal(queued(['EVAL', 'return 1', '1', 'a'], { checks: 'refuse', checkPolicy: safe }), `call ${A}`);
  });
});
